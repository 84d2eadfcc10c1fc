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
CREATE TABLE corruption_results (
	job_key VARCHAR(64) NOT NULL, 
	model_key VARCHAR(64) NOT NULL, 
	corruption VARCHAR(200) NOT NULL, 
	severity INTEGER NOT NULL, 
	seed BIGINT NOT NULL, 
	settings JSON NOT NULL, 
	repeat INTEGER NOT NULL, 
	n_examples INTEGER NOT NULL, 
	example_order VARCHAR(32) NOT NULL, 
	batch_size INTEGER NOT NULL, 
	draws INTEGER NOT NULL, 
	n_correct INTEGER NOT NULL, 
	flags BLOB NOT NULL, 
	seconds DOUBLE NOT NULL, 
	environment_id VARCHAR(64) NOT NULL, 
	finished_at DATETIME NOT NULL, 
	CONSTRAINT pk_corruption_results PRIMARY KEY (job_key), 
	CONSTRAINT fk_corruption_results_environment_id_environments FOREIGN KEY(environment_id) REFERENCES environments (id), 
	CONSTRAINT fk_corruption_results_job_key_jobs FOREIGN KEY(job_key) REFERENCES jobs ("key"), 
	CONSTRAINT fk_corruption_results_model_key_jobs FOREIGN KEY(model_key) REFERENCES jobs ("key")
);
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
INSERT INTO "robustsweep_schema_version" VALUES('0013');
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
CREATE INDEX ix_corruption_results_model_key ON corruption_results (model_key);
COMMIT;
