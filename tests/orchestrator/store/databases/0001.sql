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
	finished_at DATETIME NOT NULL, 
	CONSTRAINT pk_attack_results PRIMARY KEY (job_key), 
	CONSTRAINT fk_attack_results_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_attack_results_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_attack_results_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "attack_results" VALUES('ed2f04624e0016318222e2384b26f4793d9e578bd73b44f542eb71225d90e301','48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709','fgsm','randomized','linf',3.13725490196078427018e-02,'8/255',1,3.13725490196078427018e-02,0,0,16,8,8,X'AAAA',0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 07:29:34.807776');
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
INSERT INTO "attempts" VALUES(1,'f8c161a0c18ecb2982eeee1b1c0db0b025ff5d95c09c216e5f08454c84ba6be8',1,1,'2026-11-22 07:29:34.799410','2026-11-22 07:29:34.801577','done',NULL,NULL);
INSERT INTO "attempts" VALUES(2,'48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709',1,1,'2026-11-22 07:29:34.802612','2026-11-22 07:29:34.803406','done',NULL,NULL);
INSERT INTO "attempts" VALUES(3,'782639412041e6ccbe55991653c2f56335ceed6d668e59701298724b22d1bd7f',1,1,'2026-11-22 07:29:34.804088','2026-11-22 07:29:34.804962','done',NULL,NULL);
INSERT INTO "attempts" VALUES(4,'9a69043372befc06044292c412376e9ccdbb10046e0bed6b5227aca922dc984a',1,1,'2026-11-22 07:29:34.805740','2026-11-22 07:29:34.806894','done',NULL,NULL);
INSERT INTO "attempts" VALUES(5,'ed2f04624e0016318222e2384b26f4793d9e578bd73b44f542eb71225d90e301',1,1,'2026-11-22 07:29:34.807564','2026-11-22 07:29:34.808632','done',NULL,NULL);
INSERT INTO "attempts" VALUES(6,'ba751dd3a3fca7f516d14cb0ee6930b33e2e4e594cd35a8dcb84c2576ef31a9c',1,1,'2026-11-22 07:29:34.809196','2026-11-22 07:29:34.809526','failed','JobError: boom','Traceback (most recent call last):
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
INSERT INTO "clean_results" VALUES('9a69043372befc06044292c412376e9ccdbb10046e0bed6b5227aca922dc984a','48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709',0,16,8,8,X'AAAA',0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 07:29:34.806038');
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
INSERT INTO "crafted_examples" VALUES('782639412041e6ccbe55991653c2f56335ceed6d668e59701298724b22d1bd7f','48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709',16,3.13725490196078427018e-02,0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 07:29:34.804304');
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
INSERT INTO "job_parents" VALUES('48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709','weights','f8c161a0c18ecb2982eeee1b1c0db0b025ff5d95c09c216e5f08454c84ba6be8');
INSERT INTO "job_parents" VALUES('782639412041e6ccbe55991653c2f56335ceed6d668e59701298724b22d1bd7f','model','48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709');
INSERT INTO "job_parents" VALUES('9a69043372befc06044292c412376e9ccdbb10046e0bed6b5227aca922dc984a','model','48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709');
INSERT INTO "job_parents" VALUES('ba751dd3a3fca7f516d14cb0ee6930b33e2e4e594cd35a8dcb84c2576ef31a9c','model','48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709');
INSERT INTO "job_parents" VALUES('ba751dd3a3fca7f516d14cb0ee6930b33e2e4e594cd35a8dcb84c2576ef31a9c','examples','782639412041e6ccbe55991653c2f56335ceed6d668e59701298724b22d1bd7f');
INSERT INTO "job_parents" VALUES('ed2f04624e0016318222e2384b26f4793d9e578bd73b44f542eb71225d90e301','model','48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709');
CREATE TABLE jobs (
	"key" VARCHAR(64) NOT NULL, 
	key_version INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	spec TEXT NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_jobs PRIMARY KEY ("key"), 
	CONSTRAINT ck_jobs_state CHECK (state IN ('planned', 'done', 'failed'))
);
INSERT INTO "jobs" VALUES('48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709',1,'fine_tune','{"stage":"fine_tune","data":{"name":"digits","train_examples":null},"model":{"name":"resnet18","width":4,"tensorized":true,"rank_fraction":0.5,"rank_kind":"channels","tensorize_first":false,"theta":0.8,"sketch_modes":"channels","rescale":true,"binary":false},"training":{"epochs":1,"batch_size":128,"learning_rate":0.1,"momentum":0.9,"weight_decay":0.0005,"schedule":"one_cycle","horizontal_flip":false,"adversarial_training":"none"},"seed":0}','done');
INSERT INTO "jobs" VALUES('782639412041e6ccbe55991653c2f56335ceed6d668e59701298724b22d1bd7f',1,'craft','{"stage":"craft","attack":{"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false},"evaluation":{"examples":16,"batch_size":8}}','done');
INSERT INTO "jobs" VALUES('9a69043372befc06044292c412376e9ccdbb10046e0bed6b5227aca922dc984a',1,'evaluate','{"stage":"evaluate","evaluation":{"examples":16,"batch_size":8},"repeat":0}','done');
INSERT INTO "jobs" VALUES('ba751dd3a3fca7f516d14cb0ee6930b33e2e4e594cd35a8dcb84c2576ef31a9c',1,'attack','{"stage":"attack","attack":{"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false},"knowledge":"omniscient","evaluation":{"examples":16,"batch_size":8},"repeat":0}','failed');
INSERT INTO "jobs" VALUES('ed2f04624e0016318222e2384b26f4793d9e578bd73b44f542eb71225d90e301',1,'attack','{"stage":"attack","attack":{"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false},"knowledge":"randomized","evaluation":{"examples":16,"batch_size":8},"repeat":0}','done');
INSERT INTO "jobs" VALUES('f8c161a0c18ecb2982eeee1b1c0db0b025ff5d95c09c216e5f08454c84ba6be8',1,'pretrain','{"stage":"pretrain","data":{"name":"digits","train_examples":null},"model":{"name":"resnet18","width":4,"tensorized":true,"rank_fraction":0.5,"rank_kind":"channels","tensorize_first":false,"theta":1.0,"sketch_modes":"channels","rescale":true,"binary":false},"training":{"epochs":1,"batch_size":128,"learning_rate":0.1,"momentum":0.9,"weight_decay":0.0005,"schedule":"one_cycle","horizontal_flip":false,"adversarial_training":"none"},"seed":0}','done');
CREATE TABLE robustsweep_schema_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT robustsweep_schema_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "robustsweep_schema_version" VALUES('0001');
CREATE TABLE sweep_jobs (
	sweep_id INTEGER NOT NULL, 
	job_key VARCHAR(64) NOT NULL, 
	in_space BOOLEAN NOT NULL, 
	CONSTRAINT pk_sweep_jobs PRIMARY KEY (sweep_id, job_key), 
	CONSTRAINT fk_sweep_jobs_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_sweep_jobs_sweep_id_sweeps FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
);
INSERT INTO "sweep_jobs" VALUES(1,'48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709',1);
INSERT INTO "sweep_jobs" VALUES(1,'782639412041e6ccbe55991653c2f56335ceed6d668e59701298724b22d1bd7f',1);
INSERT INTO "sweep_jobs" VALUES(1,'9a69043372befc06044292c412376e9ccdbb10046e0bed6b5227aca922dc984a',1);
INSERT INTO "sweep_jobs" VALUES(1,'ba751dd3a3fca7f516d14cb0ee6930b33e2e4e594cd35a8dcb84c2576ef31a9c',1);
INSERT INTO "sweep_jobs" VALUES(1,'ed2f04624e0016318222e2384b26f4793d9e578bd73b44f542eb71225d90e301',1);
INSERT INTO "sweep_jobs" VALUES(1,'f8c161a0c18ecb2982eeee1b1c0db0b025ff5d95c09c216e5f08454c84ba6be8',1);
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
','2026-11-22 07:29:34.787147','2026-11-22 07:29:34.795672','localhost',1234,NULL);
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
INSERT INTO "trained_models" VALUES('f8c161a0c18ecb2982eeee1b1c0db0b025ff5d95c09c216e5f08454c84ba6be8','digits',NULL,'resnet18',4,1,1.0,0.5,'channels','{"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}','channels',1,0,'none',0,1,1234,'[{"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1}]',1.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 07:29:34.799975');
INSERT INTO "trained_models" VALUES('48977c50f0c78a3aaf3793f4744c08253e310e5f4e70cf3d099ca9834d4e0709','digits',NULL,'resnet18',4,1,0.8,0.5,'channels','{"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}','channels',1,0,'none',0,1,1234,'[{"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1}]',1.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 07:29:34.802922');
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX ix_job_parents_parent_key ON job_parents (parent_key);
CREATE INDEX ix_sweep_jobs_job_key ON sweep_jobs (job_key);
CREATE INDEX ix_attempts_sweep_id_outcome ON attempts (sweep_id, outcome);
CREATE INDEX ix_clean_results_model_key ON clean_results (model_key);
CREATE INDEX ix_crafted_examples_model_key ON crafted_examples (model_key);
CREATE INDEX ix_attack_results_model_key ON attack_results (model_key);
COMMIT;
