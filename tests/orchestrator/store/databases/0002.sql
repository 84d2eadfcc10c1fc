BEGIN TRANSACTION;
CREATE TABLE attack_results (
	job_key VARCHAR(64) NOT NULL, 
	model_key VARCHAR(64) NOT NULL, 
	attack VARCHAR(32) NOT NULL, 
	knowledge VARCHAR(32) NOT NULL, 
	norm VARCHAR(32) NOT NULL, 
	epsilon DOUBLE NOT NULL, 
	epsilon_literal VARCHAR(200) NOT NULL, 
	steps INTEGER NOT NULL, 
	abs_stepsize DOUBLE NOT NULL, 
	random_start BOOLEAN NOT NULL, 
	repeat INTEGER NOT NULL, 
	n_examples INTEGER NOT NULL, 
	batch_size INTEGER NOT NULL, 
	n_correct INTEGER NOT NULL, 
	flags BLOB NOT NULL, 
	seconds DOUBLE NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	finished_at DATETIME NOT NULL, sign_gradient VARCHAR(32) DEFAULT 'identity' NOT NULL, 
	CONSTRAINT pk_attack_results PRIMARY KEY (job_key), 
	CONSTRAINT fk_attack_results_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_attack_results_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_attack_results_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "attack_results" VALUES('51e2152750dc3e698f51587bdf96c272679b2b807c034ba01b606aa2f9977afc','507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a','fgsm','randomized','linf',3.13725490196078427018e-02,'8/255',1,3.13725490196078427018e-02,0,0,16,8,8,X'AAAA',0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 08:36:15.330254','tanh');
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	job_key VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	sweep_id INTEGER, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	outcome VARCHAR(32) NOT NULL, 
	error TEXT, 
	traceback TEXT, 
	CONSTRAINT pk_attempts PRIMARY KEY (id), 
	CONSTRAINT ck_attempts_outcome CHECK (outcome IN ('running', 'done', 'failed', 'interrupted')), 
	CONSTRAINT fk_attempts_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_attempts_sweep_id_sweeps FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT uq_attempts_job_key_number UNIQUE (job_key, number)
);
INSERT INTO "attempts" VALUES(1,'c1c2582f5647bb7c657fabb17e0aac9edc284eead428a52860de2b98a2c4f461',1,1,'2026-11-22 08:36:15.271707','2026-11-22 08:36:15.290403','done',NULL,NULL);
INSERT INTO "attempts" VALUES(2,'507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a',1,1,'2026-11-22 08:36:15.303986','2026-11-22 08:36:15.305284','done',NULL,NULL);
INSERT INTO "attempts" VALUES(3,'164405705f2da375f4cfff79a78f8441577f8e6713f6ed06db159fad115a7a36',1,1,'2026-11-22 08:36:15.306430','2026-11-22 08:36:15.317088','done',NULL,NULL);
INSERT INTO "attempts" VALUES(4,'731d36a641a7fa2e086d1af1a5f73d5186fc0f755116c09a36df20b39f46e90b',1,1,'2026-11-22 08:36:15.318429','2026-11-22 08:36:15.328476','done',NULL,NULL);
INSERT INTO "attempts" VALUES(5,'51e2152750dc3e698f51587bdf96c272679b2b807c034ba01b606aa2f9977afc',1,1,'2026-11-22 08:36:15.329857','2026-11-22 08:36:15.331782','done',NULL,NULL);
INSERT INTO "attempts" VALUES(6,'c4361e206bab954e757bd7e6b8d68fb0bfce3ad6265f8359a060b0bfc51efc1c',1,1,'2026-11-22 08:36:15.332738','2026-11-22 08:36:15.333253','failed','JobError: boom','Traceback (most recent call last):
JobError: boom
');
CREATE TABLE clean_results (
	job_key VARCHAR(64) NOT NULL, 
	model_key VARCHAR(64) NOT NULL, 
	repeat INTEGER NOT NULL, 
	n_examples INTEGER NOT NULL, 
	batch_size INTEGER NOT NULL, 
	n_correct INTEGER NOT NULL, 
	flags BLOB NOT NULL, 
	seconds DOUBLE NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	finished_at DATETIME NOT NULL, 
	CONSTRAINT pk_clean_results PRIMARY KEY (job_key), 
	CONSTRAINT fk_clean_results_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_clean_results_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_clean_results_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "clean_results" VALUES('731d36a641a7fa2e086d1af1a5f73d5186fc0f755116c09a36df20b39f46e90b','507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a',0,16,8,8,X'AAAA',0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 08:36:15.326270');
CREATE TABLE crafted_examples (
	job_key VARCHAR(64) NOT NULL, 
	model_key VARCHAR(64) NOT NULL, 
	n_examples INTEGER NOT NULL, 
	max_perturbation DOUBLE NOT NULL, 
	seconds DOUBLE NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	finished_at DATETIME NOT NULL, 
	CONSTRAINT pk_crafted_examples PRIMARY KEY (job_key), 
	CONSTRAINT fk_crafted_examples_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_crafted_examples_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_crafted_examples_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "crafted_examples" VALUES('164405705f2da375f4cfff79a78f8441577f8e6713f6ed06db159fad115a7a36','507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a',16,3.13725490196078427018e-02,0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 08:36:15.315183');
CREATE TABLE environments (
	id VARCHAR(64) NOT NULL, 
	host VARCHAR(200) NOT NULL, 
	device VARCHAR(200) NOT NULL, 
	threads INTEGER NOT NULL, 
	git_revision VARCHAR(200), 
	versions JSON NOT NULL, 
	CONSTRAINT pk_environments PRIMARY KEY (id)
);
INSERT INTO "environments" VALUES('2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','localhost','cpu',1,NULL,'{"torch": "2.11.0"}');
CREATE TABLE job_parents (
	child_key VARCHAR(64) NOT NULL, 
	role VARCHAR(32) NOT NULL, 
	parent_key VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_job_parents PRIMARY KEY (child_key, role), 
	CONSTRAINT fk_job_parents_child_key_jobs FOREIGN KEY(child_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_job_parents_parent_key_jobs FOREIGN KEY(parent_key) REFERENCES jobs ("key")
);
INSERT INTO "job_parents" VALUES('164405705f2da375f4cfff79a78f8441577f8e6713f6ed06db159fad115a7a36','model','507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a');
INSERT INTO "job_parents" VALUES('507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a','weights','c1c2582f5647bb7c657fabb17e0aac9edc284eead428a52860de2b98a2c4f461');
INSERT INTO "job_parents" VALUES('51e2152750dc3e698f51587bdf96c272679b2b807c034ba01b606aa2f9977afc','model','507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a');
INSERT INTO "job_parents" VALUES('731d36a641a7fa2e086d1af1a5f73d5186fc0f755116c09a36df20b39f46e90b','model','507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a');
INSERT INTO "job_parents" VALUES('c4361e206bab954e757bd7e6b8d68fb0bfce3ad6265f8359a060b0bfc51efc1c','model','507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a');
INSERT INTO "job_parents" VALUES('c4361e206bab954e757bd7e6b8d68fb0bfce3ad6265f8359a060b0bfc51efc1c','examples','164405705f2da375f4cfff79a78f8441577f8e6713f6ed06db159fad115a7a36');
CREATE TABLE jobs (
	"key" VARCHAR(64) NOT NULL, 
	key_version INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	spec TEXT NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_jobs PRIMARY KEY ("key"), 
	CONSTRAINT ck_jobs_state CHECK (state IN ('planned', 'done', 'failed'))
);
INSERT INTO "jobs" VALUES('164405705f2da375f4cfff79a78f8441577f8e6713f6ed06db159fad115a7a36',1,'craft','{"stage":"craft","attack":{"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false,"sign_gradient":"tanh"},"evaluation":{"examples":16,"batch_size":8}}','done');
INSERT INTO "jobs" VALUES('507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a',1,'fine_tune','{"stage":"fine_tune","data":{"name":"digits","train_examples":null},"model":{"name":"resnet18","width":4,"tensorized":true,"rank_fraction":0.5,"rank_kind":"channels","tensorize_first":false,"theta":0.8,"sketch_modes":"channels","rescale":true,"binary":true},"training":{"epochs":1,"batch_size":128,"learning_rate":0.1,"momentum":0.9,"weight_decay":0.0005,"schedule":"one_cycle","horizontal_flip":false,"adversarial_training":"none"},"seed":0}','done');
INSERT INTO "jobs" VALUES('51e2152750dc3e698f51587bdf96c272679b2b807c034ba01b606aa2f9977afc',1,'attack','{"stage":"attack","attack":{"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false,"sign_gradient":"tanh"},"knowledge":"randomized","evaluation":{"examples":16,"batch_size":8},"repeat":0}','done');
INSERT INTO "jobs" VALUES('731d36a641a7fa2e086d1af1a5f73d5186fc0f755116c09a36df20b39f46e90b',1,'evaluate','{"stage":"evaluate","evaluation":{"examples":16,"batch_size":8},"repeat":0}','done');
INSERT INTO "jobs" VALUES('c1c2582f5647bb7c657fabb17e0aac9edc284eead428a52860de2b98a2c4f461',1,'pretrain','{"stage":"pretrain","data":{"name":"digits","train_examples":null},"model":{"name":"resnet18","width":4,"tensorized":true,"rank_fraction":0.5,"rank_kind":"channels","tensorize_first":false,"theta":1.0,"sketch_modes":"channels","rescale":true,"binary":true},"training":{"epochs":1,"batch_size":128,"learning_rate":0.1,"momentum":0.9,"weight_decay":0.0005,"schedule":"one_cycle","horizontal_flip":false,"adversarial_training":"none"},"seed":0}','done');
INSERT INTO "jobs" VALUES('c4361e206bab954e757bd7e6b8d68fb0bfce3ad6265f8359a060b0bfc51efc1c',1,'attack','{"stage":"attack","attack":{"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false,"sign_gradient":"tanh"},"knowledge":"omniscient","evaluation":{"examples":16,"batch_size":8},"repeat":0}','failed');
CREATE TABLE robustsweep_schema_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT robustsweep_schema_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "robustsweep_schema_version" VALUES('0002');
CREATE TABLE sweep_jobs (
	sweep_id INTEGER NOT NULL, 
	job_key VARCHAR(64) NOT NULL, 
	in_space BOOLEAN NOT NULL, 
	CONSTRAINT pk_sweep_jobs PRIMARY KEY (sweep_id, job_key), 
	CONSTRAINT fk_sweep_jobs_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_sweep_jobs_sweep_id_sweeps FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
);
INSERT INTO "sweep_jobs" VALUES(1,'164405705f2da375f4cfff79a78f8441577f8e6713f6ed06db159fad115a7a36',1);
INSERT INTO "sweep_jobs" VALUES(1,'507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a',1);
INSERT INTO "sweep_jobs" VALUES(1,'51e2152750dc3e698f51587bdf96c272679b2b807c034ba01b606aa2f9977afc',1);
INSERT INTO "sweep_jobs" VALUES(1,'731d36a641a7fa2e086d1af1a5f73d5186fc0f755116c09a36df20b39f46e90b',1);
INSERT INTO "sweep_jobs" VALUES(1,'c1c2582f5647bb7c657fabb17e0aac9edc284eead428a52860de2b98a2c4f461',1);
INSERT INTO "sweep_jobs" VALUES(1,'c4361e206bab954e757bd7e6b8d68fb0bfce3ad6265f8359a060b0bfc51efc1c',1);
CREATE TABLE sweeps (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	space TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	launched_at DATETIME, 
	driver_host VARCHAR(200), 
	driver_pid INTEGER, 
	heartbeat_at DATETIME, 
	CONSTRAINT pk_sweeps PRIMARY KEY (id), 
	CONSTRAINT uq_sweeps_name UNIQUE (name)
);
INSERT INTO "sweeps" VALUES(1,'old','name: old
','2026-11-22 08:36:14.996560','2026-11-22 08:36:15.164781','localhost',1234,NULL);
CREATE TABLE trained_models (
	job_key VARCHAR(64) NOT NULL, 
	dataset VARCHAR(32) NOT NULL, 
	train_examples INTEGER, 
	model VARCHAR(32) NOT NULL, 
	width INTEGER NOT NULL, 
	tensorized BOOLEAN NOT NULL, 
	theta DOUBLE NOT NULL, 
	rank_fraction DOUBLE, 
	rank_kind VARCHAR(32) NOT NULL, 
	rank JSON, 
	sketch_modes VARCHAR(32) NOT NULL, 
	rescale BOOLEAN NOT NULL, 
	binary BOOLEAN NOT NULL, 
	adversarial_training VARCHAR(32) NOT NULL, 
	seed BIGINT NOT NULL, 
	epochs INTEGER NOT NULL, 
	n_parameters BIGINT NOT NULL, 
	history JSON NOT NULL, 
	seconds DOUBLE NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	finished_at DATETIME NOT NULL, 
	CONSTRAINT pk_trained_models PRIMARY KEY (job_key), 
	CONSTRAINT fk_trained_models_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_trained_models_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key")
);
INSERT INTO "trained_models" VALUES('c1c2582f5647bb7c657fabb17e0aac9edc284eead428a52860de2b98a2c4f461','digits',NULL,'resnet18',4,1,1.0,0.5,'channels','{"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}','channels',1,1,'none',0,1,1234,'[{"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1}]',1.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 08:36:15.287847');
INSERT INTO "trained_models" VALUES('507c50f075da7694f95fe02021dc0b380c968b4f382786e970e6b2e8d5c85e0a','digits',NULL,'resnet18',4,1,0.8,0.5,'channels','{"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}','channels',1,1,'none',0,1,1234,'[{"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1}]',1.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 08:36:15.304457');
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX ix_job_parents_parent_key ON job_parents (parent_key);
CREATE INDEX ix_sweep_jobs_job_key ON sweep_jobs (job_key);
CREATE INDEX ix_attempts_sweep_id_outcome ON attempts (sweep_id, outcome);
CREATE INDEX ix_clean_results_model_key ON clean_results (model_key);
CREATE INDEX ix_crafted_examples_model_key ON crafted_examples (model_key);
CREATE INDEX ix_attack_results_model_key ON attack_results (model_key);
COMMIT;
