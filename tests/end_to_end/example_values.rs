//! What the steps of the example `titanic` should make of a data set, computed here once more.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::example::last;
use crate::harness::Folder;
use crate::tracking::Run;

/// Numbers by the names of their columns.
type Row = BTreeMap<String, f64>;

const COLUMNS: [&str; 7] = [
    "PassengerId",
    "Survived",
    "Pclass",
    "Age",
    "SibSp",
    "Parch",
    "Fare",
];

/// The passengers of whom all is known.
pub(crate) struct Values {
    read: usize,
    train: Vec<Row>,
    test: Vec<Row>,
}

impl Values {
    pub(crate) fn of(raw: &str, test_every: usize) -> Values {
        let mut lines = raw.lines().map(fields);
        let names = lines.next().unwrap();
        let passengers: Vec<Option<Row>> = lines.map(|line| passenger(&names, &line)).collect();
        let read = passengers.len();
        let known = passengers.into_iter().flatten().zip(1..);
        let (test, train): (Vec<_>, Vec<_>) = known.partition(|(_, at)| at % test_every == 0);
        let rows = |part: Vec<(Row, usize)>| part.into_iter().map(|(row, _)| row).collect();
        Values {
            read,
            train: rows(train),
            test: rows(test),
        }
    }

    /// Asserts what a run with a regularization of 1 has left, and recorded.
    pub(crate) fn check(&self, folder: &Folder, runs: &[Run]) {
        assert_eq!(table(folder, "train_data.csv"), self.train);
        assert_eq!(table(folder, "test_data.csv"), self.test);
        let cleaning = &last(runs, "data_cleaning").metrics;
        let kept = self.train.len() + self.test.len();
        for (name, count) in [
            ("rows_read", self.read),
            ("rows_kept", kept),
            ("rows_dropped", self.read - kept),
        ] {
            assert_eq!(cleaning[name].to_string(), count.to_string(), "{name}");
        }
        let evaluation = &last(runs, "evaluate").metrics;
        let mut best = (f64::INFINITY, "");
        for (size, name) in [("small", "small_model.csv"), ("large", "large_model.csv")] {
            let (model, training) = (model(folder, name), last(runs, &format!("train_{size}")));
            self.is_fitted(&model);
            let (accuracy, loss) = scores(&model, &self.train);
            is_near(training.metrics["train_accuracy"], accuracy);
            is_near(training.metrics["train_log_loss"], loss);
            let (accuracy, loss) = scores(&model, &self.test);
            is_near(evaluation[&format!("{size}_accuracy")], accuracy);
            is_near(evaluation[&format!("{size}_log_loss")], loss);
            if loss < best.0 {
                best = (loss, name);
            }
        }
        assert_eq!(folder.read("best_model.csv"), folder.read(best.1));
        self.are_predicted(
            &model(folder, "best_model.csv"),
            &table(folder, "predictions.csv"),
        );
    }

    /// Asserts that no other coefficients fit better: the gradient of the regularized loss is zero.
    fn is_fitted(&self, model: &Row) {
        let error = |row: &Row| probability(model, row) - row["Survived"];
        let mean_error = mean(self.train.iter().map(error));
        assert!(mean_error.abs() < 1e-3, "{mean_error}");
        for (term, weight) in model.iter().filter(|(term, _)| *term != "(intercept)") {
            let values = || self.train.iter().map(|row| row[term]);
            let center = mean(values());
            let deviation = mean(values().map(|it| (it - center).powi(2))).sqrt();
            let scaled = |row: &Row| (row[term] - center) / deviation;
            let slope = mean(self.train.iter().map(|row| error(row) * scaled(row)));
            // One penalty for all passengers, on the weight of the scaled column.
            let penalty = weight * deviation / count(&self.train);
            let gradient = slope + penalty;
            assert!(gradient.abs() < 1e-3, "{term}: {gradient}");
        }
    }

    fn are_predicted(&self, model: &Row, predictions: &[Row]) {
        assert_eq!(predictions.len(), self.test.len());
        for (row, prediction) in self.test.iter().zip(predictions) {
            let expected = probability(model, row);
            is_near(prediction["PassengerId"], row["PassengerId"]);
            is_near(prediction["probability"], expected);
            is_near(prediction["survives"], f64::from(expected > 0.5));
        }
    }
}

/// Asserts that a step's client of MLflow has left a model, in the step's own run.
pub(crate) fn has_models(folder: &Folder, steps: &[&str]) {
    let database = Connection::open(folder.path().join("mlflow.db")).unwrap();
    let sql = "SELECT artifact_location FROM logged_models JOIN runs ON source_run_id = run_uuid WHERE runs.name = ?1";
    for step in steps {
        let location: String = database.query_row(sql, [step], |row| row.get(0)).unwrap();
        let model = location.trim_start_matches("file://").to_owned() + "/MLmodel";
        let model = std::fs::read_to_string(model).unwrap();
        assert!(model.contains("sklearn:"), "{model}");
    }
}

#[track_caller]
fn is_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

fn score(model: &Row, passenger: &Row) -> f64 {
    let value = |term: &String| passenger.get(term).copied();
    let terms = model.iter().map(|(term, weight)| match term.as_str() {
        "(intercept)" => *weight,
        _ => weight * value(term).unwrap(),
    });
    terms.sum()
}

fn probability(model: &Row, passenger: &Row) -> f64 {
    1.0 / (1.0 + (-score(model, passenger)).exp())
}

/// Accuracy and mean log loss.
fn scores(model: &Row, passengers: &[Row]) -> (f64, f64) {
    let of_truth = |row: &Row| {
        let survives = probability(model, row);
        if row["Survived"] > 0.5 {
            survives
        } else {
            1.0 - survives
        }
    };
    let is_right = |row: &Row| f64::from(of_truth(row) > 0.5);
    let accuracy = mean(passengers.iter().map(is_right));
    (
        accuracy,
        mean(passengers.iter().map(|row| -of_truth(row).ln())),
    )
}

fn count(rows: &[Row]) -> f64 {
    rows.iter().map(|_| 1.0).sum()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for character in line.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    fields
}

/// A passenger in numbers, if all of them are known.
fn passenger(names: &[String], fields: &[String]) -> Option<Row> {
    let field = |name: &str| &fields[names.iter().position(|it| it == name).unwrap()];
    let mut row = Row::new();
    for name in COLUMNS {
        row.insert(name.to_owned(), field(name).parse().ok()?);
    }
    let sex = Some(field("Sex")).filter(|it| !it.is_empty())?;
    row.insert("Female".to_owned(), f64::from(sex == "female"));
    Some(row)
}

/// A CSV file of numbers.
fn table(folder: &Folder, name: &str) -> Vec<Row> {
    let text = folder.read(name);
    let mut lines = text.lines().map(fields);
    let names = lines.next().unwrap();
    let number = |(name, field): (&String, String)| (name.clone(), field.parse().unwrap());
    lines
        .map(|line| names.iter().zip(line).map(number).collect())
        .collect()
}

/// The coefficients of a model by their terms.
fn model(folder: &Folder, name: &str) -> Row {
    let text = folder.read(name);
    let lines = text.lines().skip(1).map(fields);
    let coefficient = |line: Vec<String>| (line[0].clone(), line[1].parse().unwrap());
    lines.map(coefficient).collect()
}
