BEGIN TRANSACTION;
CREATE TABLE "attack_results" (
	job_key VARCHAR(64) NOT NULL, 
	model_key VARCHAR(64) NOT NULL, 
	attack VARCHAR(200) NOT NULL, 
	knowledge VARCHAR(32) NOT NULL, 
	norm VARCHAR(32) NOT NULL, 
	epsilon DOUBLE NOT NULL, 
	epsilon_literal VARCHAR(200) NOT NULL, 
	random_start BOOLEAN, 
	repeat INTEGER NOT NULL, 
	n_examples INTEGER NOT NULL, 
	batch_size INTEGER NOT NULL, 
	n_correct INTEGER NOT NULL, 
	flags BLOB NOT NULL, 
	seconds DOUBLE NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	finished_at DATETIME NOT NULL, 
	sign_gradient VARCHAR(32) DEFAULT 'identity' NOT NULL, 
	loss VARCHAR(200), 
	target VARCHAR(32) DEFAULT 'none' NOT NULL, 
	restarts INTEGER DEFAULT '1' NOT NULL, 
	eot_samples INTEGER DEFAULT '1' NOT NULL, 
	selection_draws INTEGER DEFAULT '1' NOT NULL, 
	early_stop BOOLEAN DEFAULT 0 NOT NULL, 
	backend VARCHAR(32) DEFAULT 'native' NOT NULL, 
	draws INTEGER DEFAULT '1' NOT NULL, 
	source_key VARCHAR(64), 
	settings JSON DEFAULT '{}' NOT NULL, 
	metrics JSON DEFAULT '{}' NOT NULL, 
	takes_gradients BOOLEAN, 
	selects BOOLEAN, 
	one_step BOOLEAN, classes BLOB, margins BLOB, sizes BLOB, forward_passes BIGINT, backward_passes BIGINT, queries BIGINT, example_order VARCHAR(32) DEFAULT 'balanced' NOT NULL, split VARCHAR(32) DEFAULT 'test' NOT NULL, 
	CONSTRAINT pk_attack_results PRIMARY KEY (job_key), 
	CONSTRAINT fk_attack_results_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_attack_results_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_attack_results_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "attack_results" VALUES('482d33bd92fe7ba72f0687f749f424b50ae98b5b83f08561d903f9e394d27f7d','97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440','fgsm','eot','l2',3.13725490196078427018e-02,'8/255',0,0,16,8,8,X'AAAA',0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-28 18:23:48.869768','identity','dlr','least_likely',1,4,8,0,'native',1,NULL,'{"loss": "dlr"}','{}',1,0,1,NULL,NULL,NULL,NULL,NULL,NULL,'balanced','test');
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	job_key VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	sweep_id INTEGER, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	outcome VARCHAR(32) NOT NULL, 
	error TEXT, 
	traceback TEXT, peak_memory BIGINT, 
	CONSTRAINT pk_attempts PRIMARY KEY (id), 
	CONSTRAINT ck_attempts_outcome CHECK (outcome IN ('running', 'done', 'failed', 'interrupted')), 
	CONSTRAINT fk_attempts_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_attempts_sweep_id_sweeps FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT uq_attempts_job_key_number UNIQUE (job_key, number)
);
INSERT INTO "attempts" VALUES(1,'aa6cadd063db55af35c9836bfd35d9ecb132e4d10c123afc63d2f9fd597570ec',1,1,'2026-11-28 18:23:48.687343','2026-11-28 18:23:48.708534','done',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(2,'97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440',1,1,'2026-11-28 18:23:48.796713','2026-11-28 18:23:48.800357','done',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(3,'bf891eef172529f3178bec956b79b2f526999abed1fde8b583785e951419d258',1,1,'2026-11-28 18:23:48.831552','2026-11-28 18:23:48.837887','done',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(4,'c0ea7e14255b65225604c30a9160013f7d73129c573e5f366581754e5df1c000',1,1,'2026-11-28 18:23:48.853951','2026-11-28 18:23:48.855613','done',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(5,'482d33bd92fe7ba72f0687f749f424b50ae98b5b83f08561d903f9e394d27f7d',1,1,'2026-11-28 18:23:48.868142','2026-11-28 18:23:48.869768','done',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(6,'6ba3289b80992d8bbb72500cd2702bb44e403de5621d5f4d1303c17f15df662d',1,1,'2026-11-28 18:23:48.924946','2026-11-28 18:23:48.928821','failed','JobError: boom','Traceback: boom',NULL);
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
	finished_at DATETIME NOT NULL, draws INTEGER DEFAULT '1' NOT NULL, classes BLOB, margins BLOB, example_order VARCHAR(32) DEFAULT 'balanced' NOT NULL, split VARCHAR(32) DEFAULT 'test' NOT NULL, 
	CONSTRAINT pk_clean_results PRIMARY KEY (job_key), 
	CONSTRAINT fk_clean_results_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_clean_results_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_clean_results_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "clean_results" VALUES('bf891eef172529f3178bec956b79b2f526999abed1fde8b583785e951419d258','97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440',0,16,8,8,X'AAAA',0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-28 18:23:48.837887',1,NULL,NULL,'balanced','test');
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
INSERT INTO "crafted_examples" VALUES('c0ea7e14255b65225604c30a9160013f7d73129c573e5f366581754e5df1c000','97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440',16,3.13725490196078427018e-02,0.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-28 18:23:48.855613');
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
INSERT INTO "job_parents" VALUES('482d33bd92fe7ba72f0687f749f424b50ae98b5b83f08561d903f9e394d27f7d','model','97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440');
INSERT INTO "job_parents" VALUES('6ba3289b80992d8bbb72500cd2702bb44e403de5621d5f4d1303c17f15df662d','model','97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440');
INSERT INTO "job_parents" VALUES('6ba3289b80992d8bbb72500cd2702bb44e403de5621d5f4d1303c17f15df662d','examples','c0ea7e14255b65225604c30a9160013f7d73129c573e5f366581754e5df1c000');
INSERT INTO "job_parents" VALUES('97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440','weights','aa6cadd063db55af35c9836bfd35d9ecb132e4d10c123afc63d2f9fd597570ec');
INSERT INTO "job_parents" VALUES('bf891eef172529f3178bec956b79b2f526999abed1fde8b583785e951419d258','model','97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440');
INSERT INTO "job_parents" VALUES('c0ea7e14255b65225604c30a9160013f7d73129c573e5f366581754e5df1c000','model','97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440');
CREATE TABLE jobs (
	"key" VARCHAR(64) NOT NULL, 
	key_version INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	spec TEXT NOT NULL, 
	state VARCHAR(32) NOT NULL, seed_key VARCHAR(64), digests JSON, plugins JSON, 
	CONSTRAINT pk_jobs PRIMARY KEY ("key"), 
	CONSTRAINT ck_jobs_state CHECK (state IN ('planned', 'done', 'failed'))
);
INSERT INTO "jobs" VALUES('482d33bd92fe7ba72f0687f749f424b50ae98b5b83f08561d903f9e394d27f7d',2,'attack','{"stage":"attack","attack":{"settings":{"loss":"dlr"},"name":"fgsm","norm":"l2","epsilon":0.03137254901960784,"epsilon_literal":"8/255","target":"least_likely","restarts":1,"eot_samples":4,"selection_draws":8,"early_stop":false,"backend":"native","sign_gradient":"identity"},"knowledge":"eot","evaluation":{"examples":16,"batch_size":8,"draws":1,"metrics":[]},"repeat":0}','done','f1bb333fd7e556c2e09df7626b49e0c15c8910722e608cdab89c286f612e9056','{}','[]');
INSERT INTO "jobs" VALUES('6ba3289b80992d8bbb72500cd2702bb44e403de5621d5f4d1303c17f15df662d',2,'attack','{"stage":"attack","attack":{"settings":{"loss":"ce"},"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","target":"none","restarts":1,"eot_samples":1,"selection_draws":1,"early_stop":false,"backend":"native","sign_gradient":"identity"},"knowledge":"omniscient","evaluation":{"examples":16,"batch_size":8,"draws":1,"metrics":[]},"repeat":0}','failed','49c3f944c60ab356296a29b07efe02cff9bfc8126785f9783f934f5a26e5aefe','{}','[]');
INSERT INTO "jobs" VALUES('97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440',2,'defend','{"stage":"defend","data":{"settings":{},"name":"digits","train_examples":null},"model":{"settings":{"width":4},"name":"resnet18","tensorized":true,"rank_fraction":0.5,"rank_kind":"channels","rank_fractions":null,"tensorize_first":false,"tensorize_linear":false,"execution":"auto","theta":1.0,"sketch_modes":"channels","rescale":true,"all_zero":"keep","draws":"batch","binary":false,"init":"random"},"training":{"settings":{"label_smoothing":0.0},"loss":"cross_entropy","recipe":"custom","epochs":1,"batch_size":128,"optimizer":"sgd","learning_rate":0.1,"momentum":0.9,"nesterov":false,"weight_decay":0.0005,"schedule":"one_cycle","milestones":[0.42857142857142855,0.7142857142857143],"gamma":0.1,"clip_norm":null,"precision":"float32","channels_last":true,"horizontal_flip":false,"crop_padding":null,"adversarial_training":"none","adversarial_epsilon":["2/255","8/255"],"adversarial_steps":[2,10],"adversarial_stepsize":2.5,"adversarial_alpha":0.5},"defence":{"settings":{"pad_factor":1.107},"name":"random_resize_pad"},"seed":0,"until":null}','done','45a2afe09a6394369cec5647267ebd4b242d05331af8316452d7e98c0df89b55','{}','[]');
INSERT INTO "jobs" VALUES('aa6cadd063db55af35c9836bfd35d9ecb132e4d10c123afc63d2f9fd597570ec',2,'pretrain','{"stage":"pretrain","data":{"settings":{},"name":"digits","train_examples":null},"model":{"settings":{"width":4},"name":"resnet18","tensorized":true,"rank_fraction":0.5,"rank_kind":"channels","rank_fractions":null,"tensorize_first":false,"tensorize_linear":false,"execution":"auto","theta":1.0,"sketch_modes":"channels","rescale":true,"all_zero":"keep","draws":"batch","binary":false,"init":"random"},"training":{"settings":{"label_smoothing":0.0},"loss":"cross_entropy","recipe":"custom","epochs":1,"batch_size":128,"optimizer":"sgd","learning_rate":0.1,"momentum":0.9,"nesterov":false,"weight_decay":0.0005,"schedule":"one_cycle","milestones":[0.42857142857142855,0.7142857142857143],"gamma":0.1,"clip_norm":null,"precision":"float32","channels_last":true,"horizontal_flip":false,"crop_padding":null,"adversarial_training":"none","adversarial_epsilon":["2/255","8/255"],"adversarial_steps":[2,10],"adversarial_stepsize":2.5,"adversarial_alpha":0.5},"defence":{"settings":{},"name":"none"},"seed":0,"until":null}','done','4d8b13ccb14ef70d8a87d254e6a7490867543a219b125bd21517862055bec067','{}','[]');
INSERT INTO "jobs" VALUES('bf891eef172529f3178bec956b79b2f526999abed1fde8b583785e951419d258',2,'evaluate','{"stage":"evaluate","evaluation":{"examples":16,"batch_size":8,"draws":1,"metrics":[]},"repeat":0}','done','e622f11cbe9718867ddd8b6602779b5197bd24f30da95ddbb6d95803a55a9d0c','{}','[]');
INSERT INTO "jobs" VALUES('c0ea7e14255b65225604c30a9160013f7d73129c573e5f366581754e5df1c000',2,'craft','{"stage":"craft","attack":{"settings":{"loss":"ce"},"name":"fgsm","norm":"linf","epsilon":0.03137254901960784,"epsilon_literal":"8/255","target":"none","restarts":1,"eot_samples":1,"selection_draws":1,"early_stop":false,"backend":"native","sign_gradient":"identity"},"evaluation":{"examples":16,"batch_size":8,"draws":1,"metrics":[]}}','done','1ca8085b3318e5251071cecc664af18ff68ff0c9cdaa5af6c70ef6e8ab5265a1','{}','[]');
CREATE TABLE robustsweep_schema_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT robustsweep_schema_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "robustsweep_schema_version" VALUES('0012');
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
CREATE TABLE sweep_epsilons (
	sweep_id INTEGER NOT NULL, 
	epsilon DOUBLE NOT NULL, 
	literal VARCHAR(200) NOT NULL, 
	CONSTRAINT pk_sweep_epsilons PRIMARY KEY (sweep_id, epsilon), 
	CONSTRAINT fk_sweep_epsilons_sweep_id_sweeps FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
);
INSERT INTO "sweep_epsilons" VALUES(1,3.13725490196078427018e-02,'8/255');
CREATE TABLE sweep_jobs (
	sweep_id INTEGER NOT NULL, 
	job_key VARCHAR(64) NOT NULL, 
	in_space BOOLEAN NOT NULL, stage VARCHAR(32) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_sweep_jobs PRIMARY KEY (sweep_id, job_key), 
	CONSTRAINT fk_sweep_jobs_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_sweep_jobs_sweep_id_sweeps FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
);
INSERT INTO "sweep_jobs" VALUES(1,'482d33bd92fe7ba72f0687f749f424b50ae98b5b83f08561d903f9e394d27f7d',1,'attack');
INSERT INTO "sweep_jobs" VALUES(1,'6ba3289b80992d8bbb72500cd2702bb44e403de5621d5f4d1303c17f15df662d',1,'attack');
INSERT INTO "sweep_jobs" VALUES(1,'97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440',1,'defend');
INSERT INTO "sweep_jobs" VALUES(1,'aa6cadd063db55af35c9836bfd35d9ecb132e4d10c123afc63d2f9fd597570ec',1,'pretrain');
INSERT INTO "sweep_jobs" VALUES(1,'bf891eef172529f3178bec956b79b2f526999abed1fde8b583785e951419d258',1,'evaluate');
INSERT INTO "sweep_jobs" VALUES(1,'c0ea7e14255b65225604c30a9160013f7d73129c573e5f366581754e5df1c000',1,'craft');
CREATE TABLE sweeps (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	space TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	launched_at DATETIME, 
	driver_host VARCHAR(200), 
	driver_pid INTEGER, 
	heartbeat_at DATETIME, driver_token VARCHAR(64), driver_process VARCHAR(200), command TEXT, 
	CONSTRAINT pk_sweeps PRIMARY KEY (id), 
	CONSTRAINT uq_sweeps_name UNIQUE (name)
);
INSERT INTO "sweeps" VALUES(1,'old','','2026-11-28 18:23:48.636868','2026-11-28 18:23:48.669896','host',1,NULL,NULL,NULL,NULL);
CREATE TABLE test_looks (
	dataset VARCHAR(200) NOT NULL, 
	sweep VARCHAR(200) NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	looked_at DATETIME NOT NULL, 
	models INTEGER NOT NULL, 
	CONSTRAINT pk_test_looks PRIMARY KEY (dataset, sweep, reason, looked_at)
);
CREATE TABLE "trained_models" (
	job_key VARCHAR(64) NOT NULL, 
	dataset VARCHAR(200) NOT NULL, 
	train_examples INTEGER, 
	model VARCHAR(200) NOT NULL, 
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
	defence VARCHAR(200) DEFAULT 'none' NOT NULL, 
	defence_settings JSON, 
	until INTEGER, 
	resumed_key VARCHAR(64), 
	rank_fractions JSON, 
	model_settings JSON DEFAULT '{}' NOT NULL, 
	model_options JSON DEFAULT '{}' NOT NULL, 
	data_settings JSON DEFAULT '{}' NOT NULL, 
	training JSON DEFAULT '{}' NOT NULL, 
	modality VARCHAR(32), 
	n_classes INTEGER, 
	low DOUBLE, 
	high DOUBLE, 
	randomised BOOLEAN, validation_examples DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_trained_models PRIMARY KEY (job_key), 
	CONSTRAINT fk_trained_models_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_trained_models_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key")
);
INSERT INTO "trained_models" VALUES('aa6cadd063db55af35c9836bfd35d9ecb132e4d10c123afc63d2f9fd597570ec','digits',NULL,'resnet18',1,1.0,0.5,'channels','{"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}','channels',1,0,'none',0,1,1234,'[{"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1}]',1.5,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-28 18:23:48.708534','none',NULL,NULL,NULL,NULL,'{"width": 4}','{"tensorize_first": false, "tensorize_linear": false, "execution": "auto", "all_zero": "keep", "draws": "batch", "init": "random"}','{}','{"loss": "cross_entropy", "epochs": 1, "batch_size": 128, "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": false, "weight_decay": 0.0005, "schedule": "one_cycle", "milestones": [0.42857142857142855, 0.7142857142857143], "gamma": 0.1, "clip_norm": null, "precision": "float32", "channels_last": true, "horizontal_flip": false, "crop_padding": null, "adversarial_training": "none", "adversarial_epsilon": ["2/255", "8/255"], "adversarial_steps": [2, 10], "adversarial_stepsize": 2.5, "adversarial_alpha": 0.5, "label_smoothing": 0.0}','image',10,0.0,1.0,0,0.0);
INSERT INTO "trained_models" VALUES('97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440','digits',NULL,'resnet18',1,1.0,0.5,'channels','{"layer1.0.conv1": [4, 4, 3, 3], "layer1.0.conv2": [4, 2, 3, 3]}','channels',1,0,'none',0,1,1234,'[]',0.1,'2fdaa0ac0e1e7cef00091b7857021ae5173b6085cdb6f4fc40868ae3376dbfa1','2026-11-28 18:23:48.800357','random_resize_pad','{"pad_factor": 1.107}',NULL,NULL,NULL,'{"width": 4}','{"tensorize_first": false, "tensorize_linear": false, "execution": "auto", "all_zero": "keep", "draws": "batch", "init": "random"}','{}','{"loss": "cross_entropy", "epochs": 1, "batch_size": 128, "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": false, "weight_decay": 0.0005, "schedule": "one_cycle", "milestones": [0.42857142857142855, 0.7142857142857143], "gamma": 0.1, "clip_norm": null, "precision": "float32", "channels_last": true, "horizontal_flip": false, "crop_padding": null, "adversarial_training": "none", "adversarial_epsilon": ["2/255", "8/255"], "adversarial_steps": [2, 10], "adversarial_stepsize": 2.5, "adversarial_alpha": 0.5, "label_smoothing": 0.0}','image',10,0.0,1.0,1,0.0);
CREATE TABLE verdicts (
	model_key VARCHAR(64) NOT NULL, 
	verdict VARCHAR(32) NOT NULL, 
	checks JSON NOT NULL, 
	rules INTEGER NOT NULL, 
	judged_at DATETIME NOT NULL, 
	CONSTRAINT pk_verdicts PRIMARY KEY (model_key), 
	CONSTRAINT fk_verdicts_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
INSERT INTO "verdicts" VALUES('97876d6271aea1aed734365c9e06cb94cfe0dbfa3131a7c3d908307a87672440','suspicious','[{"name": "gradients", "outcome": "not made", "reason": "shares of zero gradients: not there on 35 examples or more; add `diagnosis: {}`", "numbers": {}}, {"name": "unbounded", "outcome": "not made", "reason": "an iterative attack that may change values by half of the input range: not there on 35 examples or more; add `diagnosis: {}`", "numbers": {}}, {"name": "single_step", "outcome": "not made", "reason": "fgsm beside an iterative attack: not there on 35 examples or more; add `diagnosis: {}`", "numbers": {}}, {"name": "black_box", "outcome": "not made", "reason": "square, noise or transfer beside an iterative attack: not there on 35 examples or more; add `diagnosis: {}`", "numbers": {}}, {"name": "more_steps", "outcome": "not made", "reason": "one attack with few and with more steps or restarts: not there on 35 examples or more; add `diagnosis: {}`", "numbers": {}}, {"name": "other_loss", "outcome": "not made", "reason": "one attack on ce and on margin or dlr: not there on 35 examples or more; add `diagnosis: {}`", "numbers": {}}, {"name": "eot", "outcome": "not made", "reason": "one attack with knowledge randomized and eot: not there on 35 examples or more; add `diagnosis: {}`", "numbers": {}}]',2,'2026-11-28 18:23:48.916974');
CREATE TABLE "worst_cases" (
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
	example_order VARCHAR(32) DEFAULT 'balanced' NOT NULL, 
	split VARCHAR(32) DEFAULT 'test' NOT NULL, 
	CONSTRAINT pk_worst_cases PRIMARY KEY (model_key, knowledge, norm, epsilon, n_examples, batch_size, draws, example_order, split), 
	CONSTRAINT fk_worst_cases_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
CREATE INDEX ix_job_parents_parent_key ON job_parents (parent_key);
CREATE INDEX ix_sweep_jobs_job_key ON sweep_jobs (job_key);
CREATE INDEX ix_attempts_sweep_id_outcome ON attempts (sweep_id, outcome);
CREATE INDEX ix_clean_results_model_key ON clean_results (model_key);
CREATE INDEX ix_crafted_examples_model_key ON crafted_examples (model_key);
CREATE INDEX ix_diagnoses_model_key ON diagnoses (model_key);
CREATE INDEX ix_surfaces_model_key ON surfaces (model_key);
CREATE INDEX ix_jobs_state_key ON jobs (state, "key");
CREATE INDEX ix_sweep_jobs_sweep_id_in_space_stage ON sweep_jobs (sweep_id, in_space, stage);
CREATE INDEX ix_attack_results_attack_epsilon_literal_knowledge ON attack_results (attack, epsilon_literal, knowledge);
CREATE INDEX ix_attack_results_model_key ON attack_results (model_key);
CREATE VIEW v_jobs AS SELECT sweeps.name AS sweep, sweep_jobs.in_space, jobs."key" AS job_key, jobs.stage, jobs.state, (SELECT count(*) AS count_1 
FROM attempts 
WHERE attempts.job_key = jobs."key") AS attempts, CASE WHEN (jobs.state = 'failed') THEN (SELECT attempts.error 
FROM attempts 
WHERE attempts.job_key = jobs."key" AND attempts.outcome = 'failed' ORDER BY attempts.number DESC
 LIMIT 1 OFFSET 0) END AS error, jobs.spec 
FROM sweeps JOIN sweep_jobs ON sweep_jobs.sweep_id = sweeps.id JOIN jobs ON jobs."key" = sweep_jobs.job_key;
CREATE VIEW v_models AS SELECT trained_models.job_key AS model_key, jobs.stage, trained_models.dataset AS dataset, trained_models.train_examples AS train_examples, trained_models.model AS model, trained_models.tensorized AS tensorized, trained_models.rank_fraction AS rank_fraction, trained_models.rank_kind AS rank_kind, trained_models.theta AS theta, trained_models.sketch_modes AS sketch_modes, trained_models.rescale AS rescale, trained_models.binary AS binary, trained_models.defence AS defence, trained_models.adversarial_training AS adversarial_training, trained_models.seed AS seed, trained_models.epochs AS epochs, trained_models.n_parameters AS n_parameters, (SELECT avg(CAST(clean_results.n_correct AS FLOAT) / ((clean_results.n_examples * clean_results.draws) + 0.0)) AS avg_1 
FROM clean_results 
WHERE clean_results.model_key = trained_models.job_key AND clean_results.split = 'test') AS clean_accuracy, verdicts.verdict, trained_models.seconds, trained_models.finished_at, trained_models.resumed_key, (SELECT avg(CAST(clean_results.n_correct AS FLOAT) / ((clean_results.n_examples * clean_results.draws) + 0.0)) AS avg_2 
FROM clean_results 
WHERE clean_results.model_key = trained_models.job_key AND clean_results.split = 'validation') AS validation_clean_accuracy, trained_models.until AS until, trained_models.rank_fractions AS rank_fractions, trained_models.modality AS modality, trained_models.n_classes AS n_classes, trained_models.randomised AS randomised, trained_models.validation_examples AS validation_examples, trained_models.data_settings AS data_settings, trained_models.model_settings AS model_settings, trained_models.model_options AS model_options, trained_models.defence_settings AS defence_settings, coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training) AS training, CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END AS fine_tuning, json_extract(trained_models.model_settings, '$."width"') AS width, json_extract(trained_models.data_settings, '$."split_lists"') AS split_lists, json_extract(trained_models.data_settings, '$."image_size"') AS image_size, json_extract(trained_models.data_settings, '$."channels"') AS channels, json_extract(trained_models.data_settings, '$."evaluated"') AS evaluated, json_extract(trained_models.defence_settings, '$."dropout"') AS dropout, json_extract(trained_models.defence_settings, '$."activation_bits"') AS activation_bits, json_extract(trained_models.defence_settings, '$."lipschitz_beta"') AS lipschitz_beta, json_extract(trained_models.defence_settings, '$."bit_depth"') AS bit_depth, json_extract(trained_models.defence_settings, '$."median_size"') AS median_size, json_extract(trained_models.defence_settings, '$."pad_factor"') AS pad_factor, json_extract(trained_models.defence_settings, '$."pruning_samples"') AS pruning_samples, json_extract(trained_models.model_options, '$."tensorize_first"') AS model_tensorize_first, json_extract(trained_models.model_options, '$."tensorize_linear"') AS model_tensorize_linear, json_extract(trained_models.model_options, '$."execution"') AS model_execution, json_extract(trained_models.model_options, '$."all_zero"') AS model_all_zero, json_extract(trained_models.model_options, '$."draws"') AS model_draws, json_extract(trained_models.model_options, '$."init"') AS model_init, json_extract(trained_models.model_options, '$."normalisation"') AS model_normalisation, json_extract(trained_models.model_options, '$."weights"') AS model_weights, json_extract(trained_models.model_options, '$."weights_map"') AS model_weights_map, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."loss"') AS training_loss, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."epochs"') AS training_epochs, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."batch_size"') AS training_batch_size, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."optimizer"') AS training_optimizer, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."learning_rate"') AS training_learning_rate, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."momentum"') AS training_momentum, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."nesterov"') AS training_nesterov, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."weight_decay"') AS training_weight_decay, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."schedule"') AS training_schedule, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."milestones"') AS training_milestones, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."gamma"') AS training_gamma, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."clip_norm"') AS training_clip_norm, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."precision"') AS training_precision, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."channels_last"') AS training_channels_last, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."horizontal_flip"') AS training_horizontal_flip, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."crop_padding"') AS training_crop_padding, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_training"') AS training_adversarial_training, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_epsilon"') AS training_adversarial_epsilon, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_steps"') AS training_adversarial_steps, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_stepsize"') AS training_adversarial_stepsize, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_alpha"') AS training_adversarial_alpha, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."label_smoothing"') AS training_label_smoothing, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."loss"') AS fine_tuning_loss, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."epochs"') AS fine_tuning_epochs, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."batch_size"') AS fine_tuning_batch_size, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."optimizer"') AS fine_tuning_optimizer, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."learning_rate"') AS fine_tuning_learning_rate, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."momentum"') AS fine_tuning_momentum, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."nesterov"') AS fine_tuning_nesterov, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."weight_decay"') AS fine_tuning_weight_decay, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."schedule"') AS fine_tuning_schedule, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."milestones"') AS fine_tuning_milestones, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."gamma"') AS fine_tuning_gamma, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."clip_norm"') AS fine_tuning_clip_norm, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."precision"') AS fine_tuning_precision, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."channels_last"') AS fine_tuning_channels_last, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."horizontal_flip"') AS fine_tuning_horizontal_flip, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."crop_padding"') AS fine_tuning_crop_padding, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_training"') AS fine_tuning_adversarial_training, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_epsilon"') AS fine_tuning_adversarial_epsilon, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_steps"') AS fine_tuning_adversarial_steps, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_stepsize"') AS fine_tuning_adversarial_stepsize, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_alpha"') AS fine_tuning_adversarial_alpha, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."label_smoothing"') AS fine_tuning_label_smoothing 
FROM trained_models JOIN jobs ON jobs."key" = trained_models.job_key LEFT OUTER JOIN verdicts ON verdicts.model_key = trained_models.job_key LEFT OUTER JOIN job_parents AS job_parents_1 ON job_parents_1.child_key = trained_models.job_key AND job_parents_1.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_3 ON trained_models_3.job_key = job_parents_1.parent_key LEFT OUTER JOIN job_parents AS job_parents_2 ON job_parents_2.child_key = job_parents_1.parent_key AND job_parents_2.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_2 ON trained_models_2.job_key = job_parents_2.parent_key LEFT OUTER JOIN job_parents AS job_parents_3 ON job_parents_3.child_key = job_parents_2.parent_key AND job_parents_3.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_1 ON trained_models_1.job_key = job_parents_3.parent_key LEFT OUTER JOIN jobs AS jobs_1 ON jobs_1."key" = trained_models.job_key LEFT OUTER JOIN jobs AS jobs_2 ON jobs_2."key" = job_parents_1.parent_key;
CREATE VIEW v_results AS SELECT sweeps.name AS sweep, sweep_jobs.in_space, attack_results.model_key, attack_results.job_key, trained_models.dataset AS dataset, trained_models.train_examples AS train_examples, trained_models.model AS model, trained_models.tensorized AS tensorized, trained_models.rank_fraction AS rank_fraction, trained_models.rank_kind AS rank_kind, trained_models.theta AS theta, trained_models.sketch_modes AS sketch_modes, trained_models.rescale AS rescale, trained_models.binary AS binary, trained_models.defence AS defence, trained_models.adversarial_training AS adversarial_training, trained_models.seed AS seed, trained_models.epochs AS epochs, trained_models.n_parameters AS n_parameters, attack_results.attack AS attack, attack_results.knowledge AS knowledge, attack_results.norm AS norm, attack_results.epsilon AS epsilon, coalesce(sweep_epsilons.literal, attack_results.epsilon_literal) AS epsilon_literal, attack_results.random_start AS random_start, attack_results.loss AS loss, attack_results.target AS target, attack_results.restarts AS restarts, attack_results.eot_samples AS eot_samples, attack_results.selection_draws AS selection_draws, attack_results.early_stop AS early_stop, attack_results.backend AS backend, attack_results.sign_gradient AS sign_gradient, attack_results.source_key AS source_key, attack_results.n_examples AS n_examples, attack_results.batch_size AS evaluation_batch_size, attack_results.repeat AS repeat, attack_results.draws AS draws, attack_results.n_correct AS n_correct, CAST(attack_results.n_correct AS FLOAT) / ((attack_results.n_examples * attack_results.draws) + 0.0) AS robust_accuracy, (SELECT avg(CAST(clean_results.n_correct AS FLOAT) / ((clean_results.n_examples * clean_results.draws) + 0.0)) AS avg_1 
FROM clean_results 
WHERE clean_results.model_key = attack_results.model_key AND clean_results.n_examples = attack_results.n_examples AND clean_results.batch_size = attack_results.batch_size AND clean_results.example_order = attack_results.example_order AND clean_results.split = attack_results.split) AS clean_accuracy, verdicts.verdict, attack_results.seconds, attack_results.finished_at, trained_models.until AS until, trained_models.rank_fractions AS rank_fractions, trained_models.modality AS modality, trained_models.n_classes AS n_classes, trained_models.randomised AS randomised, trained_models.validation_examples AS validation_examples, trained_models.data_settings AS data_settings, trained_models.model_settings AS model_settings, trained_models.model_options AS model_options, trained_models.defence_settings AS defence_settings, attack_results.takes_gradients AS takes_gradients, attack_results.selects AS selects, attack_results.one_step AS one_step, attack_results.settings AS attack_settings, attack_results.metrics, attack_results.forward_passes, attack_results.backward_passes, attack_results.queries, attack_results.example_order AS example_order, attack_results.split AS split, coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training) AS training, CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END AS fine_tuning, json_extract(attack_results.settings, '$."steps"') AS steps, json_extract(attack_results.settings, '$."classes"') AS classes, json_extract(attack_results.settings, '$."version"') AS version, json_extract(attack_results.settings, '$."abs_stepsize"') AS abs_stepsize, json_extract(attack_results.settings, '$."loss"') AS attacks_loss, json_extract(attack_results.settings, '$."searches"') AS searches, json_extract(attack_results.settings, '$."stepsize"') AS stepsize, json_extract(attack_results.settings, '$."first_weight"') AS first_weight, json_extract(attack_results.settings, '$."momentum"') AS momentum, json_extract(attack_results.settings, '$."samples"') AS samples, json_extract(attack_results.settings, '$."sigma"') AS sigma, json_extract(attack_results.settings, '$."schedule"') AS schedule, json_extract(attack_results.metrics, '$."snr_db"') AS snr_db, json_extract(trained_models.model_settings, '$."width"') AS width, json_extract(trained_models.data_settings, '$."split_lists"') AS split_lists, json_extract(trained_models.data_settings, '$."image_size"') AS image_size, json_extract(trained_models.data_settings, '$."channels"') AS channels, json_extract(trained_models.data_settings, '$."evaluated"') AS evaluated, json_extract(trained_models.defence_settings, '$."dropout"') AS dropout, json_extract(trained_models.defence_settings, '$."activation_bits"') AS activation_bits, json_extract(trained_models.defence_settings, '$."lipschitz_beta"') AS lipschitz_beta, json_extract(trained_models.defence_settings, '$."bit_depth"') AS bit_depth, json_extract(trained_models.defence_settings, '$."median_size"') AS median_size, json_extract(trained_models.defence_settings, '$."pad_factor"') AS pad_factor, json_extract(trained_models.defence_settings, '$."pruning_samples"') AS pruning_samples, json_extract(trained_models.model_options, '$."tensorize_first"') AS model_tensorize_first, json_extract(trained_models.model_options, '$."tensorize_linear"') AS model_tensorize_linear, json_extract(trained_models.model_options, '$."execution"') AS model_execution, json_extract(trained_models.model_options, '$."all_zero"') AS model_all_zero, json_extract(trained_models.model_options, '$."draws"') AS model_draws, json_extract(trained_models.model_options, '$."init"') AS model_init, json_extract(trained_models.model_options, '$."normalisation"') AS model_normalisation, json_extract(trained_models.model_options, '$."weights"') AS model_weights, json_extract(trained_models.model_options, '$."weights_map"') AS model_weights_map, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."loss"') AS training_loss, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."epochs"') AS training_epochs, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."batch_size"') AS training_batch_size, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."optimizer"') AS training_optimizer, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."learning_rate"') AS training_learning_rate, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."momentum"') AS training_momentum, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."nesterov"') AS training_nesterov, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."weight_decay"') AS training_weight_decay, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."schedule"') AS training_schedule, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."milestones"') AS training_milestones, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."gamma"') AS training_gamma, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."clip_norm"') AS training_clip_norm, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."precision"') AS training_precision, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."channels_last"') AS training_channels_last, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."horizontal_flip"') AS training_horizontal_flip, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."crop_padding"') AS training_crop_padding, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_training"') AS training_adversarial_training, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_epsilon"') AS training_adversarial_epsilon, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_steps"') AS training_adversarial_steps, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_stepsize"') AS training_adversarial_stepsize, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_alpha"') AS training_adversarial_alpha, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."label_smoothing"') AS training_label_smoothing, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."loss"') AS fine_tuning_loss, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."epochs"') AS fine_tuning_epochs, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."batch_size"') AS fine_tuning_batch_size, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."optimizer"') AS fine_tuning_optimizer, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."learning_rate"') AS fine_tuning_learning_rate, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."momentum"') AS fine_tuning_momentum, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."nesterov"') AS fine_tuning_nesterov, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."weight_decay"') AS fine_tuning_weight_decay, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."schedule"') AS fine_tuning_schedule, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."milestones"') AS fine_tuning_milestones, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."gamma"') AS fine_tuning_gamma, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."clip_norm"') AS fine_tuning_clip_norm, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."precision"') AS fine_tuning_precision, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."channels_last"') AS fine_tuning_channels_last, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."horizontal_flip"') AS fine_tuning_horizontal_flip, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."crop_padding"') AS fine_tuning_crop_padding, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_training"') AS fine_tuning_adversarial_training, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_epsilon"') AS fine_tuning_adversarial_epsilon, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_steps"') AS fine_tuning_adversarial_steps, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_stepsize"') AS fine_tuning_adversarial_stepsize, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_alpha"') AS fine_tuning_adversarial_alpha, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."label_smoothing"') AS fine_tuning_label_smoothing 
FROM sweeps JOIN sweep_jobs ON sweep_jobs.sweep_id = sweeps.id JOIN attack_results ON attack_results.job_key = sweep_jobs.job_key JOIN trained_models ON trained_models.job_key = attack_results.model_key LEFT OUTER JOIN verdicts ON verdicts.model_key = attack_results.model_key LEFT OUTER JOIN sweep_epsilons ON sweep_epsilons.sweep_id = sweeps.id AND sweep_epsilons.epsilon = attack_results.epsilon LEFT OUTER JOIN job_parents AS job_parents_1 ON job_parents_1.child_key = trained_models.job_key AND job_parents_1.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_3 ON trained_models_3.job_key = job_parents_1.parent_key LEFT OUTER JOIN job_parents AS job_parents_2 ON job_parents_2.child_key = job_parents_1.parent_key AND job_parents_2.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_2 ON trained_models_2.job_key = job_parents_2.parent_key LEFT OUTER JOIN job_parents AS job_parents_3 ON job_parents_3.child_key = job_parents_2.parent_key AND job_parents_3.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_1 ON trained_models_1.job_key = job_parents_3.parent_key LEFT OUTER JOIN jobs AS jobs_1 ON jobs_1."key" = trained_models.job_key LEFT OUTER JOIN jobs AS jobs_2 ON jobs_2."key" = job_parents_1.parent_key;
CREATE VIEW v_worst_case AS SELECT worst_cases.model_key, trained_models.dataset AS dataset, trained_models.train_examples AS train_examples, trained_models.model AS model, trained_models.tensorized AS tensorized, trained_models.rank_fraction AS rank_fraction, trained_models.rank_kind AS rank_kind, trained_models.theta AS theta, trained_models.sketch_modes AS sketch_modes, trained_models.rescale AS rescale, trained_models.binary AS binary, trained_models.defence AS defence, trained_models.adversarial_training AS adversarial_training, trained_models.seed AS seed, trained_models.epochs AS epochs, trained_models.n_parameters AS n_parameters, worst_cases.knowledge AS knowledge, worst_cases.norm AS norm, worst_cases.epsilon AS epsilon, worst_cases.epsilon_literal AS epsilon_literal, worst_cases.n_examples AS n_examples, worst_cases.batch_size AS evaluation_batch_size, worst_cases.draws AS draws, worst_cases.attacks AS attacks, worst_cases.accuracy AS accuracy, worst_cases.ci_low AS ci_low, worst_cases.ci_high AS ci_high, verdicts.verdict, trained_models.until AS until, trained_models.rank_fractions AS rank_fractions, trained_models.modality AS modality, trained_models.n_classes AS n_classes, trained_models.randomised AS randomised, trained_models.validation_examples AS validation_examples, trained_models.data_settings AS data_settings, trained_models.model_settings AS model_settings, trained_models.model_options AS model_options, trained_models.defence_settings AS defence_settings, worst_cases.example_order AS example_order, worst_cases.split AS split, coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training) AS training, CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END AS fine_tuning, json_extract(trained_models.model_settings, '$."width"') AS width, json_extract(trained_models.data_settings, '$."split_lists"') AS split_lists, json_extract(trained_models.data_settings, '$."image_size"') AS image_size, json_extract(trained_models.data_settings, '$."channels"') AS channels, json_extract(trained_models.data_settings, '$."evaluated"') AS evaluated, json_extract(trained_models.defence_settings, '$."dropout"') AS dropout, json_extract(trained_models.defence_settings, '$."activation_bits"') AS activation_bits, json_extract(trained_models.defence_settings, '$."lipschitz_beta"') AS lipschitz_beta, json_extract(trained_models.defence_settings, '$."bit_depth"') AS bit_depth, json_extract(trained_models.defence_settings, '$."median_size"') AS median_size, json_extract(trained_models.defence_settings, '$."pad_factor"') AS pad_factor, json_extract(trained_models.defence_settings, '$."pruning_samples"') AS pruning_samples, json_extract(trained_models.model_options, '$."tensorize_first"') AS model_tensorize_first, json_extract(trained_models.model_options, '$."tensorize_linear"') AS model_tensorize_linear, json_extract(trained_models.model_options, '$."execution"') AS model_execution, json_extract(trained_models.model_options, '$."all_zero"') AS model_all_zero, json_extract(trained_models.model_options, '$."draws"') AS model_draws, json_extract(trained_models.model_options, '$."init"') AS model_init, json_extract(trained_models.model_options, '$."normalisation"') AS model_normalisation, json_extract(trained_models.model_options, '$."weights"') AS model_weights, json_extract(trained_models.model_options, '$."weights_map"') AS model_weights_map, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."loss"') AS training_loss, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."epochs"') AS training_epochs, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."batch_size"') AS training_batch_size, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."optimizer"') AS training_optimizer, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."learning_rate"') AS training_learning_rate, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."momentum"') AS training_momentum, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."nesterov"') AS training_nesterov, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."weight_decay"') AS training_weight_decay, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."schedule"') AS training_schedule, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."milestones"') AS training_milestones, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."gamma"') AS training_gamma, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."clip_norm"') AS training_clip_norm, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."precision"') AS training_precision, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."channels_last"') AS training_channels_last, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."horizontal_flip"') AS training_horizontal_flip, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."crop_padding"') AS training_crop_padding, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_training"') AS training_adversarial_training, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_epsilon"') AS training_adversarial_epsilon, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_steps"') AS training_adversarial_steps, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_stepsize"') AS training_adversarial_stepsize, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."adversarial_alpha"') AS training_adversarial_alpha, json_extract(coalesce(trained_models_1.training, trained_models_2.training, trained_models_3.training, trained_models.training), '$."label_smoothing"') AS training_label_smoothing, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."loss"') AS fine_tuning_loss, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."epochs"') AS fine_tuning_epochs, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."batch_size"') AS fine_tuning_batch_size, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."optimizer"') AS fine_tuning_optimizer, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."learning_rate"') AS fine_tuning_learning_rate, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."momentum"') AS fine_tuning_momentum, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."nesterov"') AS fine_tuning_nesterov, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."weight_decay"') AS fine_tuning_weight_decay, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."schedule"') AS fine_tuning_schedule, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."milestones"') AS fine_tuning_milestones, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."gamma"') AS fine_tuning_gamma, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."clip_norm"') AS fine_tuning_clip_norm, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."precision"') AS fine_tuning_precision, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."channels_last"') AS fine_tuning_channels_last, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."horizontal_flip"') AS fine_tuning_horizontal_flip, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."crop_padding"') AS fine_tuning_crop_padding, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_training"') AS fine_tuning_adversarial_training, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_epsilon"') AS fine_tuning_adversarial_epsilon, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_steps"') AS fine_tuning_adversarial_steps, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_stepsize"') AS fine_tuning_adversarial_stepsize, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."adversarial_alpha"') AS fine_tuning_adversarial_alpha, json_extract(CASE WHEN (jobs_1.stage = 'fine_tune' OR jobs_2.stage = 'fine_tune') THEN trained_models.training END, '$."label_smoothing"') AS fine_tuning_label_smoothing 
FROM worst_cases JOIN trained_models ON trained_models.job_key = worst_cases.model_key LEFT OUTER JOIN verdicts ON verdicts.model_key = worst_cases.model_key LEFT OUTER JOIN job_parents AS job_parents_1 ON job_parents_1.child_key = trained_models.job_key AND job_parents_1.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_3 ON trained_models_3.job_key = job_parents_1.parent_key LEFT OUTER JOIN job_parents AS job_parents_2 ON job_parents_2.child_key = job_parents_1.parent_key AND job_parents_2.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_2 ON trained_models_2.job_key = job_parents_2.parent_key LEFT OUTER JOIN job_parents AS job_parents_3 ON job_parents_3.child_key = job_parents_2.parent_key AND job_parents_3.role = 'weights' LEFT OUTER JOIN trained_models AS trained_models_1 ON trained_models_1.job_key = job_parents_3.parent_key LEFT OUTER JOIN jobs AS jobs_1 ON jobs_1."key" = trained_models.job_key LEFT OUTER JOIN jobs AS jobs_2 ON jobs_2."key" = job_parents_1.parent_key;
COMMIT;
