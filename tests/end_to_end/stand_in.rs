//! A tracking server on loopback that keeps runs in memory as MLflow's does, and may be slow, silent
//! or wrong when a test wants it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and path, without the query.
    pub(crate) call: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    query: String,
}

impl Request {
    pub(crate) fn is(&self, call: &str) -> bool {
        self.call.ends_with(call)
    }

    /// The value of a header, whose name is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// How a request is answered.
pub(crate) enum Answer {
    Usual,
    /// After a pause before it is done and one before the answer.
    Slow(Duration, Duration),
    /// A status, further lines of the head and a body; nothing is done.
    Give(u16, String, Vec<u8>),
    /// Never.
    Silent,
    /// A good beginning without an end.
    Endless,
    /// Done, and the connection closed without an answer.
    DoneAndDrop,
}

/// A status with an error of MLflow's.
pub(crate) fn error(status: u16, code: &str) -> Answer {
    let body = json!({ "error_code": code, "message": "no" }).to_string();
    Answer::Give(status, String::new(), body.into_bytes())
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) metrics: BTreeMap<String, f64>,
}

type Answering = dyn Fn(&Request) -> Answer + Send + Sync;

struct State {
    answer: Box<Answering>,
    requests: Mutex<Vec<Request>>,
    runs: Mutex<Vec<Run>>,
    /// The artifacts that were put, by their paths.
    artifacts: Mutex<BTreeMap<String, Vec<u8>>>,
    location: String,
}

pub(crate) struct StandIn {
    port: u16,
    state: Arc<State>,
}

impl StandIn {
    pub(crate) fn new(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> StandIn {
        StandIn::with_artifacts("mlflow-artifacts:/0", answer)
    }

    /// One that answers one call otherwise.
    pub(crate) fn when(
        call: &'static str,
        answer: impl Fn() -> Answer + Send + Sync + 'static,
    ) -> StandIn {
        StandIn::new(move |request| {
            if request.is(call) {
                answer()
            } else {
                Answer::Usual
            }
        })
    }

    /// One whose runs have their artifacts below a location.
    pub(crate) fn with_artifacts(
        location: &str,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            answer: Box::new(answer),
            requests: Mutex::default(),
            runs: Mutex::default(),
            artifacts: Mutex::default(),
            location: location.to_owned(),
        });
        let serving = Arc::clone(&state);
        // The threads end with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || state.serve(&stream.unwrap()));
            }
        });
        StandIn { port, state }
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority())
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, call: &str) -> usize {
        let requests = self.requests();
        requests.iter().filter(|request| request.is(call)).count()
    }

    pub(crate) fn runs(&self) -> Vec<Run> {
        self.state.runs.lock().unwrap().clone()
    }

    /// The names and statuses of all runs, sorted.
    pub(crate) fn ends(&self) -> Vec<(String, String)> {
        let runs = self.runs().into_iter();
        let mut ends: Vec<_> = runs.map(|run| (run.name, run.status)).collect();
        ends.sort();
        ends
    }

    pub(crate) fn artifacts(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.artifacts.lock().unwrap().clone()
    }
}

impl State {
    fn serve(&self, stream: &TcpStream) {
        let Some(request) = read(stream) else { return };
        self.requests.lock().unwrap().push(request.clone());
        let answer = (self.answer)(&request);
        let (status, head, body) = match answer {
            Answer::Usual => self.usual(&request),
            Answer::Slow(before, after) => {
                std::thread::sleep(before);
                let answer = self.usual(&request);
                std::thread::sleep(after);
                answer
            }
            Answer::Give(status, head, body) => (status, head, body),
            Answer::Silent => {
                // Until the other side has gone.
                let mut stream = stream;
                stream.read_to_end(&mut Vec::new()).ok();
                return;
            }
            Answer::Endless => {
                let mut stream = stream;
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"runs\": [\"")
                    .ok();
                let piece = vec![b'x'; 1 << 20];
                while stream.write_all(&piece).is_ok() {}
                return;
            }
            Answer::DoneAndDrop => {
                self.usual(&request);
                return;
            }
        };
        let mut stream = stream;
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n{head}\r\n",
            body.len()
        );
        // The client may have been killed meanwhile.
        stream.write_all(head.as_bytes()).ok();
        stream.write_all(&body).ok();
    }

    /// What MLflow's server does and answers, as far as it is looked at.
    fn usual(&self, request: &Request) -> (u16, String, Vec<u8>) {
        let call = request.call.rsplit_once("/mlflow/").map(|(_, call)| call);
        let answer = match call {
            None => return self.artifact(request),
            Some("experiments/get" | "experiments/get-by-name") => {
                json!({ "experiment": { "experiment_id": "0", "lifecycle_stage": "active" } })
            }
            Some("runs/create") => self.create(&request.json()),
            Some("runs/search") => self.search(&request.json()),
            Some("runs/get") => {
                let id = request.query.strip_prefix("run_id=").unwrap_or_default();
                match self.found(|run| run.id == id).pop() {
                    Some(found) => found,
                    None => return missing(),
                }
            }
            Some("runs/update" | "runs/log-batch") => return self.change(&request.json()),
            _ => json!({}),
        };
        (200, String::new(), answer.to_string().into_bytes())
    }

    fn artifact(&self, request: &Request) -> (u16, String, Vec<u8>) {
        let mut artifacts = self.artifacts.lock().unwrap();
        let (_, path) = request.call.split_once("/artifacts/").unwrap_or_default();
        if request.call.starts_with("PUT") {
            artifacts.insert(path.to_owned(), request.body.clone());
            return (200, String::new(), b"{}".to_vec());
        }
        match artifacts.get(path) {
            Some(body) => (200, String::new(), body.clone()),
            None => (404, String::new(), Vec::new()),
        }
    }

    fn create(&self, body: &Value) -> Value {
        let mut runs = self.runs.lock().unwrap();
        let tags = pairs(&body["tags"]);
        let run = Run {
            id: format!("r{}", runs.len() + 1),
            name: body["run_name"].as_str().unwrap_or_default().to_owned(),
            status: "RUNNING".to_owned(),
            start: body["start_time"].as_u64().unwrap_or_default(),
            tags,
            ..Run::default()
        };
        let answer = json!({ "run": self.json(&run) });
        runs.push(run);
        answer
    }

    fn change(&self, body: &Value) -> (u16, String, Vec<u8>) {
        let mut runs = self.runs.lock().unwrap();
        let run = runs
            .iter_mut()
            .find(|run| body["run_id"] == run.id.as_str());
        let Some(run) = run else {
            return missing();
        };
        if let Some(status) = body["status"].as_str() {
            status.clone_into(&mut run.status);
            run.end = body["end_time"].as_u64().unwrap_or_default();
        }
        run.tags.extend(pairs(&body["tags"]));
        run.parameters.extend(pairs(&body["params"]));
        for metric in body["metrics"].as_array().into_iter().flatten() {
            let name = metric["key"].as_str().unwrap_or_default().to_owned();
            run.metrics
                .insert(name, metric["value"].as_f64().unwrap_or(f64::NAN));
        }
        (200, String::new(), b"{}".to_vec())
    }

    /// Understands one comparison of a tag with a text.
    fn search(&self, body: &Value) -> Value {
        let filter = body["filter"].as_str().unwrap_or_default();
        let filter = filter.strip_prefix("tags.").unwrap_or_default();
        let (name, value) = filter.split_once(" = ").unwrap_or_default();
        let (name, value) = (name.trim_matches('`'), value.trim_matches(['\'', '"']));
        let mut found = self.found(|run| run.tags.get(name).is_some_and(|known| known == value));
        found.reverse();
        let runs: Vec<Value> = found.into_iter().map(|mut run| run["run"].take()).collect();
        // An empty list is left out, as by MLflow.
        if runs.is_empty() {
            json!({})
        } else {
            json!({ "runs": runs })
        }
    }

    fn found(&self, is_wanted: impl Fn(&Run) -> bool) -> Vec<Value> {
        let runs = self.runs.lock().unwrap();
        let wanted = runs.iter().filter(|run| is_wanted(run));
        wanted.map(|run| json!({ "run": self.json(run) })).collect()
    }

    fn json(&self, run: &Run) -> Value {
        let tags: Vec<Value> = run
            .tags
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        let info = json!({
            "run_id": run.id, "experiment_id": "0", "status": run.status,
            "start_time": run.start, "end_time": run.end,
            "artifact_uri": format!("{}/{}/artifacts", self.location, run.id),
        });
        let parameters = run.parameters.iter();
        let parameters: Vec<Value> = parameters
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        let metrics = run.metrics.iter();
        let metrics: Vec<Value> = metrics
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        json!({ "info": info, "data": { "tags": tags, "params": parameters, "metrics": metrics } })
    }
}

fn missing() -> (u16, String, Vec<u8>) {
    let body = json!({ "error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no run" });
    (404, String::new(), body.to_string().into_bytes())
}

fn pairs(list: &Value) -> BTreeMap<String, String> {
    let list = list.as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.map(|pair| (text(&pair["key"]), text(&pair["value"])))
        .collect()
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = reader
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_lowercase(), value.to_owned()))
        })
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Some(Request {
        call: format!("{method} {path}"),
        headers,
        body,
        query: query.to_owned(),
    })
}
