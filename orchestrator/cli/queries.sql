-- Questions to robustsweep's database, on its public views. They run as they are on SQLite and PostgreSQL:
--   robustsweep query "SELECT ..."        (-f csv, json, markdown), or any SQL client
-- The views and their columns stay as they are; the tables behind them change.
--
--   v_results     a row per finished attack job and sweep: the model's settings, the attack's, robust_accuracy (of n_examples in `draws` forward
--                 passes each), clean_accuracy of the same model on as many examples, the model's verdict, seconds, finished_at
--   v_models      a row per trained model: its settings, n_parameters, clean_accuracy, verdict, seconds of training, finished_at
--   v_worst_case  a row per model, knowledge (and `any` for all of them) and epsilon: accuracy under the attack that harms each example most, of
--                 all attacks stored; ci_low, ci_high, attacks (how many)
--   v_jobs        a row per job and sweep: stage, state (planned, done, failed), attempts, error (of the last failed attempt), spec (JSON)
--
-- Settings that components declare, and metrics, are columns by their names (steps, abs_stepsize, width, snr_db), made when the store is next
-- written after they were registered; where a name is taken, with their section (model_steps). Those of trainings are training_learning_rate,
-- fine_tuning_learning_rate and so on, as in the space with _ for the dot. `robustsweep query` takes the space's own names too: training.learning_rate,
-- model.settings.width, and learning_rate alone where no model was fine-tuned with another one. Of components that are not installed here they are in the JSON
-- columns alone: attack_settings, metrics, model_settings, model_options, data_settings, defence_settings, training, fine_tuning.
--
-- Accuracies are shares in [0, 1]; epsilon is in input units (2/255 = 0.00784...), epsilon_literal as the sweep writes it; seconds are those of the
-- attempt that finished. A randomised model has a row for each repeat: average over them, never over knowledge, epsilon, attack, norm, dataset or
-- sweep. `in_space` leaves out what only earlier versions of a sweep's space asked for.

-- Robust accuracy by theta and rank, mean over repeats and seeds.
SELECT dataset, theta, rank_fraction, avg(robust_accuracy) AS robust, count(*) AS jobs
FROM v_results
WHERE sweep = 'quickstart' AND in_space AND attack = 'pgd' AND norm = 'linf' AND epsilon = 8/255.0 AND knowledge = 'randomized'
GROUP BY dataset, theta, rank_fraction
ORDER BY theta DESC, rank_fraction DESC;

-- What the attacker's knowledge is worth: the same attack, side by side.
SELECT theta, min(epsilon_literal) AS written,
       avg(CASE WHEN knowledge = 'transfer' THEN robust_accuracy END) AS transfer,
       avg(CASE WHEN knowledge = 'randomized' THEN robust_accuracy END) AS randomized,
       avg(CASE WHEN knowledge = 'eot' THEN robust_accuracy END) AS eot,
       avg(CASE WHEN knowledge = 'omniscient' THEN robust_accuracy END) AS omniscient
FROM v_results
WHERE sweep = 'quickstart' AND in_space AND dataset = 'digits' AND attack = 'pgd' AND norm = 'linf'
GROUP BY theta, epsilon
ORDER BY theta DESC, epsilon;

-- The most robust models that can be believed, by the worst case over all attacks at one epsilon.
SELECT model_key, theta, rank_fraction, adversarial_training, accuracy, ci_low, ci_high, attacks
FROM v_worst_case
WHERE knowledge = 'any' AND epsilon = 8/255.0 AND verdict = 'sound'
ORDER BY accuracy DESC
LIMIT 10;

-- The Pareto front of clean accuracy and worst-case robust accuracy: models that no other one beats in both.
WITH candidates AS (
  SELECT worst.model_key, worst.theta, worst.rank_fraction, models.clean_accuracy, worst.accuracy AS robust_accuracy
  FROM v_worst_case AS worst JOIN v_models AS models ON models.model_key = worst.model_key
  WHERE worst.knowledge = 'any' AND worst.epsilon = 8/255.0 AND models.dataset = 'digits'
)
SELECT * FROM candidates
WHERE NOT EXISTS (
  SELECT 1 FROM candidates AS better
  WHERE better.clean_accuracy >= candidates.clean_accuracy AND better.robust_accuracy >= candidates.robust_accuracy
    AND (better.clean_accuracy > candidates.clean_accuracy OR better.robust_accuracy > candidates.robust_accuracy)
)
ORDER BY clean_accuracy DESC;

-- Which attack is the strongest, at each epsilon, and what it costs.
SELECT dataset, norm, epsilon_literal, attack, knowledge, avg(robust_accuracy) AS robust, avg(seconds) AS seconds
FROM v_results
WHERE sweep = 'quickstart' AND in_space
GROUP BY dataset, norm, epsilon, epsilon_literal, attack, knowledge
ORDER BY epsilon, robust;

-- How much the luck of the sketches moves a figure: the least and the greatest of the repeats.
SELECT model_key, attack, knowledge, epsilon_literal, min(robust_accuracy) AS least, max(robust_accuracy) AS most, count(*) AS repeats
FROM v_results
WHERE sweep = 'quickstart' AND in_space AND norm = 'linf' AND theta < 1
GROUP BY model_key, attack, knowledge, epsilon, epsilon_literal
HAVING count(*) > 1
ORDER BY max(robust_accuracy) - min(robust_accuracy) DESC
LIMIT 10;

-- Training seeds: mean and range of clean accuracy over them.
SELECT dataset, model, width, theta, rank_fraction, defence, adversarial_training, epochs, training_learning_rate, training_batch_size,
       count(*) AS seeds, avg(clean_accuracy) AS mean, min(clean_accuracy) AS least, max(clean_accuracy) AS most
FROM v_models
WHERE until IS NULL
GROUP BY dataset, model, width, theta, rank_fraction, defence, adversarial_training, epochs, training_learning_rate, training_batch_size
ORDER BY mean DESC;

-- Compression: parameters against clean accuracy.
SELECT dataset, model, rank_fraction, tensorized, n_parameters, avg(clean_accuracy) AS clean
FROM v_models
WHERE theta = 1 AND defence = 'none'
GROUP BY dataset, model, rank_fraction, tensorized, n_parameters
ORDER BY n_parameters;

-- Models whose figures cannot be believed, and how robust they seemed.
SELECT model_key, theta, verdict, max(robust_accuracy) AS seemed
FROM v_results
WHERE verdict <> 'sound'
GROUP BY model_key, theta, verdict;

-- Where the time goes.
SELECT attack, knowledge, steps, count(*) AS jobs, sum(seconds) / 3600 AS hours
FROM v_results
GROUP BY attack, knowledge, steps
ORDER BY hours DESC;

-- How far sweeps are.
SELECT sweep, stage, state, count(*) AS jobs
FROM v_jobs
WHERE in_space
GROUP BY sweep, stage, state
ORDER BY sweep, stage, state;

-- What failed, and with which words.
SELECT sweep, stage, job_key, attempts, error
FROM v_jobs
WHERE state = 'failed';

-- Jobs that took more than one attempt.
SELECT sweep, stage, job_key, attempts
FROM v_jobs
WHERE attempts > 1
ORDER BY attempts DESC;

-- What two sweeps have in common, and so was computed once.
SELECT first.stage, count(*) AS jobs
FROM v_jobs AS first JOIN v_jobs AS second ON second.job_key = first.job_key
WHERE first.sweep = 'quickstart' AND second.sweep = 'table1-small'
GROUP BY first.stage;
