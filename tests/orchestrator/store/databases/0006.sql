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
	finished_at DATETIME NOT NULL, sign_gradient VARCHAR(32) DEFAULT 'identity' NOT NULL, loss VARCHAR(32) DEFAULT 'ce' NOT NULL, momentum DOUBLE DEFAULT '0' NOT NULL, target VARCHAR(32) DEFAULT 'none' NOT NULL, restarts INTEGER DEFAULT '1' NOT NULL, eot_samples INTEGER DEFAULT '1' NOT NULL, selection_draws INTEGER DEFAULT '1' NOT NULL, early_stop BOOLEAN DEFAULT 0 NOT NULL, backend VARCHAR(32) DEFAULT 'native' NOT NULL, draws INTEGER DEFAULT '1' NOT NULL, source_key VARCHAR(64), snr_db DOUBLE, 
	CONSTRAINT pk_attack_results PRIMARY KEY (job_key), 
	CONSTRAINT fk_attack_results_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_attack_results_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_attack_results_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "attack_results" VALUES('e15745cc13fee418ceb86b99cd44aa255c6627f6330a942bf2f37c928cfc15cc','7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7','fgsm','eot','l2',3.13725490196078427018e-02,'8/255',1,3.13725490196078427018e-02,0,0,16,8,8,X'AAAA',0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 11:45:23.128577','identity','dlr',0.0,'least_likely',1,4,8,0,'native',1,NULL,NULL);
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
INSERT INTO "attempts" VALUES(1,'df700f03cef9533b92cda603d444b38afe55f18fd08cd504beed2d4512a09692',1,1,'2026-11-22 11:45:23.094381','2026-11-22 11:45:23.102110','done',NULL,NULL);
INSERT INTO "attempts" VALUES(2,'7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7',1,1,'2026-11-22 11:45:23.112218','2026-11-22 11:45:23.113600','done',NULL,NULL);
INSERT INTO "attempts" VALUES(3,'d51dc66c4360f0da47e139cf8bd6e0070b1a845353916601b15bd9128fee2969',1,1,'2026-11-22 11:45:23.114475','2026-11-22 11:45:23.116075','done',NULL,NULL);
INSERT INTO "attempts" VALUES(4,'23b63dba4bb5dde8af2cb983256227198310c56e675bf83ff31ab336ff8bd26d',1,1,'2026-11-22 11:45:23.116956','2026-11-22 11:45:23.118413','done',NULL,NULL);
INSERT INTO "attempts" VALUES(5,'e15745cc13fee418ceb86b99cd44aa255c6627f6330a942bf2f37c928cfc15cc',1,1,'2026-11-22 11:45:23.127968','2026-11-22 11:45:23.130232','done',NULL,NULL);
INSERT INTO "attempts" VALUES(6,'b2ec2e7f8ffdec9c60bfdba4716418739be793b6f430024daf151e62a4474971',1,1,'2026-11-22 11:45:23.135707','2026-11-22 11:45:23.136235','failed','JobError: boom','Traceback (most recent call last):
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
	finished_at DATETIME NOT NULL, draws INTEGER DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_clean_results PRIMARY KEY (job_key), 
	CONSTRAINT fk_clean_results_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_clean_results_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_clean_results_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "clean_results" VALUES('23b63dba4bb5dde8af2cb983256227198310c56e675bf83ff31ab336ff8bd26d','7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7',0,16,8,8,X'AAAA',0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 11:45:23.117379',1);
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
INSERT INTO "crafted_examples" VALUES('d51dc66c4360f0da47e139cf8bd6e0070b1a845353916601b15bd9128fee2969','7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7',16,3.13725490196078427018e-02,0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 11:45:23.114997');
CREATE TABLE diagnoses (
	job_key VARCHAR(64) NOT NULL, 
	model_key VARCHAR(64) NOT NULL, 
	epsilon DOUBLE NOT NULL, 
	epsilon_literal VARCHAR(200) NOT NULL, 
	n_examples INTEGER NOT NULL, 
	draws INTEGER NOT NULL, 
	zero_gradients DOUBLE NOT NULL, 
	nonfinite_gradients DOUBLE NOT NULL, 
	probes JSON NOT NULL, 
	seconds DOUBLE NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	finished_at DATETIME NOT NULL, 
	CONSTRAINT pk_diagnoses PRIMARY KEY (job_key), 
	CONSTRAINT fk_diagnoses_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_diagnoses_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_diagnoses_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
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
INSERT INTO "job_parents" VALUES('23b63dba4bb5dde8af2cb983256227198310c56e675bf83ff31ab336ff8bd26d','model','7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7');
INSERT INTO "job_parents" VALUES('7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7','weights','df700f03cef9533b92cda603d444b38afe55f18fd08cd504beed2d4512a09692');
INSERT INTO "job_parents" VALUES('b2ec2e7f8ffdec9c60bfdba4716418739be793b6f430024daf151e62a4474971','model','7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7');
INSERT INTO "job_parents" VALUES('b2ec2e7f8ffdec9c60bfdba4716418739be793b6f430024daf151e62a4474971','examples','d51dc66c4360f0da47e139cf8bd6e0070b1a845353916601b15bd9128fee2969');
INSERT INTO "job_parents" VALUES('d51dc66c4360f0da47e139cf8bd6e0070b1a845353916601b15bd9128fee2969','model','7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7');
INSERT INTO "job_parents" VALUES('e15745cc13fee418ceb86b99cd44aa255c6627f6330a942bf2f37c928cfc15cc','model','7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7');
CREATE TABLE jobs (
	"key" VARCHAR(64) NOT NULL, 
	key_version INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	spec TEXT NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_jobs PRIMARY KEY ("key"), 
	CONSTRAINT ck_jobs_state CHECK (state IN ('planned', 'done', 'failed'))
);
INSERT INTO "jobs" VALUES('23b63dba4bb5dde8af2cb983256227198310c56e675bf83ff31ab336ff8bd26d',1,'evaluate','{"stage":"evaluate","evaluation":{"examples":16,"batch_size":8},"repeat":0}','done');
INSERT INTO "jobs" VALUES('7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7',1,'defend','{"stage":"defend","data":{"name":"digits","train_examples":null,"split_lists":"official"},"model":{"name":"resnet18","width":4,"tensorized":true,"rank_fraction":0.5,"rank_kind":"channels","tensorize_first":false,"tensorize_linear":false,"execution":"auto","theta":1.0,"sketch_modes":"channels","rescale":true,"all_zero":"keep","draws":"batch","binary":false,"init":"random"},"training":{"recipe":"custom","epochs":1,"batch_size":128,"optimizer":"sgd","learning_rate":0.1,"momentum":0.9,"nesterov":false,"weight_decay":0.0005,"schedule":"one_cycle","milestones":[0.42857142857142855,0.7142857142857143],"gamma":0.1,"label_smoothing":0.0,"clip_norm":null,"precision":"float32","channels_last":true,"horizontal_flip":false,"adversarial_training":"none","adversarial_epsilon":["2/255","8/255"],"adversarial_steps":[2,10],"adversarial_stepsize":2.5,"adversarial_alpha":0.5},"defence":{"name":"random_resize_pad","bit_depth":5,"median_size":2,"activation_bits":4,"lipschitz_beta":0.0003,"pruning_samples":1.0,"dropout":0.3,"pad_factor":1.107},"seed":0}','done');
INSERT INTO "jobs" VALUES('b2ec2e7f8ffdec9c60bfdba4716418739be793b6f430024daf151e62a4474971',1,'attack','{"stage":"attack","attack":{"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false,"loss":"ce","momentum":0.0,"target":"none","restarts":1,"eot_samples":1,"selection_draws":1,"early_stop":false,"backend":"native","sign_gradient":"identity"},"knowledge":"omniscient","evaluation":{"examples":16,"batch_size":8},"repeat":0}','failed');
INSERT INTO "jobs" VALUES('d51dc66c4360f0da47e139cf8bd6e0070b1a845353916601b15bd9128fee2969',1,'craft','{"stage":"craft","attack":{"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false,"loss":"ce","momentum":0.0,"target":"none","restarts":1,"eot_samples":1,"selection_draws":1,"early_stop":false,"backend":"native","sign_gradient":"identity"},"evaluation":{"examples":16,"batch_size":8}}','done');
INSERT INTO "jobs" VALUES('df700f03cef9533b92cda603d444b38afe55f18fd08cd504beed2d4512a09692',1,'pretrain','{"stage":"pretrain","data":{"name":"digits","train_examples":null,"split_lists":"official"},"model":{"name":"resnet18","width":4,"tensorized":true,"rank_fraction":0.5,"rank_kind":"channels","tensorize_first":false,"tensorize_linear":false,"execution":"auto","theta":1.0,"sketch_modes":"channels","rescale":true,"all_zero":"keep","draws":"batch","binary":false,"init":"random"},"training":{"recipe":"custom","epochs":1,"batch_size":128,"optimizer":"sgd","learning_rate":0.1,"momentum":0.9,"nesterov":false,"weight_decay":0.0005,"schedule":"one_cycle","milestones":[0.42857142857142855,0.7142857142857143],"gamma":0.1,"label_smoothing":0.0,"clip_norm":null,"precision":"float32","channels_last":true,"horizontal_flip":false,"adversarial_training":"none","adversarial_epsilon":["2/255","8/255"],"adversarial_steps":[2,10],"adversarial_stepsize":2.5,"adversarial_alpha":0.5},"defence":{"name":"none","bit_depth":5,"median_size":2,"activation_bits":4,"lipschitz_beta":0.0003,"pruning_samples":1.0,"dropout":0.3,"pad_factor":1.107},"seed":0}','done');
INSERT INTO "jobs" VALUES('e15745cc13fee418ceb86b99cd44aa255c6627f6330a942bf2f37c928cfc15cc',1,'attack','{"stage":"attack","attack":{"name":"fgsm","norm":"l2","epsilon":0.03137254901960784,"epsilon_literal":"8/255","steps":1,"abs_stepsize":0.03137254901960784,"random_start":false,"loss":"dlr","momentum":0.0,"target":"least_likely","restarts":1,"eot_samples":4,"selection_draws":8,"early_stop":false,"backend":"native","sign_gradient":"identity"},"knowledge":"eot","evaluation":{"examples":16,"batch_size":8},"repeat":0}','done');
CREATE TABLE robustsweep_schema_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT robustsweep_schema_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "robustsweep_schema_version" VALUES('0006');
CREATE TABLE surfaces (
	job_key VARCHAR(64) NOT NULL, 
	model_key VARCHAR(64) NOT NULL, 
	example INTEGER NOT NULL, 
	direction VARCHAR(32) NOT NULL, 
	extent DOUBLE NOT NULL, 
	resolution INTEGER NOT NULL, 
	draws INTEGER NOT NULL, 
	norm VARCHAR(32) NOT NULL, 
	clip BOOLEAN NOT NULL, 
	source_key VARCHAR(64) NOT NULL, 
	label INTEGER NOT NULL, 
	clean_loss DOUBLE NOT NULL, 
	least_loss DOUBLE NOT NULL, 
	greatest_loss DOUBLE NOT NULL, 
	seconds DOUBLE NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	finished_at DATETIME NOT NULL, 
	CONSTRAINT pk_surfaces PRIMARY KEY (job_key), 
	CONSTRAINT fk_surfaces_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_surfaces_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_surfaces_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
CREATE TABLE sweep_jobs (
	sweep_id INTEGER NOT NULL, 
	job_key VARCHAR(64) NOT NULL, 
	in_space BOOLEAN NOT NULL, stage VARCHAR(32) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_sweep_jobs PRIMARY KEY (sweep_id, job_key), 
	CONSTRAINT fk_sweep_jobs_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_sweep_jobs_sweep_id_sweeps FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
);
INSERT INTO "sweep_jobs" VALUES(1,'23b63dba4bb5dde8af2cb983256227198310c56e675bf83ff31ab336ff8bd26d',1,'evaluate');
INSERT INTO "sweep_jobs" VALUES(1,'7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7',1,'defend');
INSERT INTO "sweep_jobs" VALUES(1,'b2ec2e7f8ffdec9c60bfdba4716418739be793b6f430024daf151e62a4474971',1,'attack');
INSERT INTO "sweep_jobs" VALUES(1,'d51dc66c4360f0da47e139cf8bd6e0070b1a845353916601b15bd9128fee2969',1,'craft');
INSERT INTO "sweep_jobs" VALUES(1,'df700f03cef9533b92cda603d444b38afe55f18fd08cd504beed2d4512a09692',1,'pretrain');
INSERT INTO "sweep_jobs" VALUES(1,'e15745cc13fee418ceb86b99cd44aa255c6627f6330a942bf2f37c928cfc15cc',1,'attack');
CREATE TABLE sweeps (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	space TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	launched_at DATETIME, 
	driver_host VARCHAR(200), 
	driver_pid INTEGER, 
	heartbeat_at DATETIME, driver_token VARCHAR(64), driver_process VARCHAR(200), 
	CONSTRAINT pk_sweeps PRIMARY KEY (id), 
	CONSTRAINT uq_sweeps_name UNIQUE (name)
);
INSERT INTO "sweeps" VALUES(1,'old','name: old
','2026-11-22 11:45:23.057631','2026-11-22 11:45:23.084186','localhost',1234,NULL,NULL,NULL);
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
	finished_at DATETIME NOT NULL, defence VARCHAR(32) DEFAULT 'none' NOT NULL, defence_settings JSON, until INTEGER, resumed_key VARCHAR(64), stage_rank_fractions JSON, 
	CONSTRAINT pk_trained_models PRIMARY KEY (job_key), 
	CONSTRAINT fk_trained_models_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_trained_models_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key")
);
INSERT INTO "trained_models" VALUES('df700f03cef9533b92cda603d444b38afe55f18fd08cd504beed2d4512a09692','digits',NULL,'resnet18',4,1,1.0,0.5,'channels','{"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}','channels',1,0,'none',0,1,1234,'[{"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1}]',1.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 11:45:23.099826','none',NULL,NULL,NULL,NULL);
INSERT INTO "trained_models" VALUES('7373d2eb20938fc0400fa8d4898c78744c41682dfd4dad794c2651f069662da7','digits',NULL,'resnet18',4,1,1.0,0.5,'channels','{"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}','channels',1,0,'none',0,1,1234,'[]',0.1,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-22 11:45:23.112756','random_resize_pad','{"pad_factor": 1.107}',NULL,NULL,NULL);
CREATE TABLE verdicts (
	model_key VARCHAR(64) NOT NULL, 
	verdict VARCHAR(32) NOT NULL, 
	checks JSON NOT NULL, 
	rules INTEGER NOT NULL, 
	judged_at DATETIME NOT NULL, 
	CONSTRAINT pk_verdicts PRIMARY KEY (model_key), 
	CONSTRAINT fk_verdicts_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
CREATE TABLE worst_cases (
	model_key VARCHAR(64) NOT NULL, 
	knowledge VARCHAR(32) NOT NULL, 
	norm VARCHAR(32) NOT NULL, 
	epsilon DOUBLE NOT NULL, 
	n_examples INTEGER NOT NULL, 
	batch_size INTEGER NOT NULL, 
	draws INTEGER NOT NULL, 
	epsilon_literal VARCHAR(200) NOT NULL, 
	attacks INTEGER NOT NULL, 
	accuracy DOUBLE NOT NULL, 
	ci_low DOUBLE NOT NULL, 
	ci_high DOUBLE NOT NULL, 
	CONSTRAINT pk_worst_cases PRIMARY KEY (model_key, knowledge, norm, epsilon, n_examples, batch_size, draws), 
	CONSTRAINT fk_worst_cases_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
CREATE INDEX ix_job_parents_parent_key ON job_parents (parent_key);
CREATE INDEX ix_sweep_jobs_job_key ON sweep_jobs (job_key);
CREATE INDEX ix_attempts_sweep_id_outcome ON attempts (sweep_id, outcome);
CREATE INDEX ix_clean_results_model_key ON clean_results (model_key);
CREATE INDEX ix_crafted_examples_model_key ON crafted_examples (model_key);
CREATE INDEX ix_attack_results_model_key ON attack_results (model_key);
CREATE INDEX ix_attack_results_attack_epsilon_literal_knowledge ON attack_results (attack, epsilon_literal, knowledge);
CREATE INDEX ix_diagnoses_model_key ON diagnoses (model_key);
CREATE INDEX ix_surfaces_model_key ON surfaces (model_key);
CREATE INDEX ix_jobs_state_key ON jobs (state, "key");
CREATE INDEX ix_sweep_jobs_sweep_id_in_space_stage ON sweep_jobs (sweep_id, in_space, stage);
CREATE VIEW v_jobs AS SELECT sweeps.name AS sweep, sweep_jobs.in_space, jobs."key" AS job_key, jobs.stage, jobs.state, (SELECT count(*) AS count_1 
FROM attempts 
WHERE attempts.job_key = jobs."key") AS attempts, CASE WHEN (jobs.state = 'failed') THEN (SELECT attempts.error 
FROM attempts 
WHERE attempts.job_key = jobs."key" AND attempts.outcome = 'failed' ORDER BY attempts.number DESC
 LIMIT 1 OFFSET 0) END AS error, jobs.spec 
FROM sweeps JOIN sweep_jobs ON sweep_jobs.sweep_id = sweeps.id JOIN jobs ON jobs."key" = sweep_jobs.job_key;
CREATE VIEW v_models AS SELECT trained_models.job_key AS model_key, jobs.stage, trained_models.dataset, trained_models.train_examples, trained_models.model, trained_models.width, trained_models.tensorized, trained_models.rank_fraction, trained_models.rank_kind, trained_models.theta, trained_models.sketch_modes, trained_models.rescale, trained_models.binary, trained_models.defence, trained_models.adversarial_training, trained_models.seed, trained_models.epochs, trained_models.n_parameters, (SELECT avg(CAST(clean_results.n_correct AS FLOAT) / ((clean_results.n_examples * clean_results.draws) + 0.0)) AS avg_1 
FROM clean_results 
WHERE clean_results.model_key = trained_models.job_key) AS clean_accuracy, verdicts.verdict, trained_models.seconds, trained_models.finished_at, trained_models.until, trained_models.resumed_key, trained_models.stage_rank_fractions 
FROM trained_models JOIN jobs ON jobs."key" = trained_models.job_key LEFT OUTER JOIN verdicts ON verdicts.model_key = trained_models.job_key;
CREATE VIEW v_results AS SELECT sweeps.name AS sweep, sweep_jobs.in_space, attack_results.model_key, attack_results.job_key, trained_models.dataset, trained_models.train_examples, trained_models.model, trained_models.width, trained_models.tensorized, trained_models.rank_fraction, trained_models.rank_kind, trained_models.theta, trained_models.sketch_modes, trained_models.rescale, trained_models.binary, trained_models.defence, trained_models.adversarial_training, trained_models.seed, trained_models.epochs, trained_models.n_parameters, attack_results.attack, attack_results.knowledge, attack_results.norm, attack_results.epsilon, attack_results.epsilon_literal, attack_results.steps, attack_results.abs_stepsize, attack_results.random_start, attack_results.loss, attack_results.momentum, attack_results.target, attack_results.restarts, attack_results.eot_samples, attack_results.selection_draws, attack_results.early_stop, attack_results.backend, attack_results.sign_gradient, attack_results.source_key, attack_results.snr_db, attack_results.n_examples, attack_results.batch_size, attack_results.repeat, attack_results.draws, attack_results.n_correct, CAST(attack_results.n_correct AS FLOAT) / ((attack_results.n_examples * attack_results.draws) + 0.0) AS robust_accuracy, (SELECT avg(CAST(clean_results.n_correct AS FLOAT) / ((clean_results.n_examples * clean_results.draws) + 0.0)) AS avg_1 
FROM clean_results 
WHERE clean_results.model_key = attack_results.model_key AND clean_results.n_examples = attack_results.n_examples AND clean_results.batch_size = attack_results.batch_size) AS clean_accuracy, verdicts.verdict, attack_results.seconds, attack_results.finished_at, trained_models.until, trained_models.stage_rank_fractions 
FROM sweeps JOIN sweep_jobs ON sweep_jobs.sweep_id = sweeps.id JOIN attack_results ON attack_results.job_key = sweep_jobs.job_key JOIN trained_models ON trained_models.job_key = attack_results.model_key LEFT OUTER JOIN verdicts ON verdicts.model_key = attack_results.model_key;
CREATE VIEW v_worst_case AS SELECT worst_cases.model_key, trained_models.dataset, trained_models.train_examples, trained_models.model, trained_models.width, trained_models.tensorized, trained_models.rank_fraction, trained_models.rank_kind, trained_models.theta, trained_models.sketch_modes, trained_models.rescale, trained_models.binary, trained_models.defence, trained_models.adversarial_training, trained_models.seed, trained_models.epochs, trained_models.n_parameters, worst_cases.knowledge, worst_cases.norm, worst_cases.epsilon, worst_cases.epsilon_literal, worst_cases.n_examples, worst_cases.batch_size, worst_cases.draws, worst_cases.attacks, worst_cases.accuracy, worst_cases.ci_low, worst_cases.ci_high, verdicts.verdict, trained_models.until, trained_models.stage_rank_fractions 
FROM worst_cases JOIN trained_models ON trained_models.job_key = worst_cases.model_key LEFT OUTER JOIN verdicts ON verdicts.model_key = worst_cases.model_key;
COMMIT;
