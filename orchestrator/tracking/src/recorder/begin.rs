//! The begin of the pipeline's run.

use std::time::Instant;

use super::Recorder;
use crate::TrackingError;
use crate::record::{self, NewRun, Pairs, Record, Status};
use crate::spool::last_fact;
use crate::store::Store;
use crate::stored::{Known, StoreError};
use crate::subject::Pipeline;
use crate::waiting::Patience;

impl Recorder {
    /// Starts the pipeline's run. Nothing has run yet, so a store that does not take it is an error.
    pub(crate) fn begin(&mut self, pipeline: Pipeline) -> Result<(), TrackingError> {
        self.start = Instant::now();
        let chosen = self.choose(&pipeline.experiments);
        chosen.map_err(|source| TrackingError::Open {
            store: self.store.place.shown(),
            source,
        })?;
        let name_tag = ("pipeline.name".to_owned(), pipeline.name.clone());
        if self.base == pipeline.root {
            let begun = self.spool.begin(&self.base, &self.spool_name());
            begun.map_err(TrackingError::Spool)?;
        }
        if !self.is_ours {
            return self.join(pipeline, name_tag);
        }
        let run = NewRun {
            key: self.pipeline.clone(),
            name: self
                .run_name
                .clone()
                .unwrap_or_else(|| pipeline.name.clone()),
            parent: None,
            user: self.user.clone(),
            start: record::now(),
            tags: self.pipeline_tags(&pipeline, name_tag),
            experiment: None,
        };
        self.begun = vec![
            Record::Start(run),
            Record::Parameters {
                run: self.pipeline.clone(),
                parameters: record::parameters(pipeline.parameters),
            },
        ];
        self.keep(self.begun.clone());
        let records = self.spool.unsent();
        let Err((done, source)) = self.store.send(&records, Patience::Full) else {
            self.note_sent(&records, records.len(), true);
            return Ok(());
        };
        if source.may_pass() {
            // It may be there all the same.
            self.note_sent(&records, done, !matches!(source, StoreError::NoAnswer(_)));
            self.is_away = true;
            self.end(Status::Failed, &Vec::new());
        } else if done > 0 {
            self.note_sent(&records, records.len(), true);
            self.end(Status::Failed, &Vec::new());
        } else {
            self.spool.discard();
        }
        Err(failed(&self.store, source))
    }

    /// Records into a run of somebody else. It is not ours to end, so nobody has to go on with it.
    fn join(
        &mut self,
        pipeline: Pipeline,
        name_tag: (String, String),
    ) -> Result<(), TrackingError> {
        let fact = last_fact(&self.pipeline, record::tags([name_tag]));
        let sent = self.store.send(&[fact], Patience::Full);
        if let Err((_, source)) = sent {
            self.spool.finish();
            return Err(failed(&self.store, source));
        }
        self.note_parent();
        self.add_parameters(pipeline.parameters);
        Ok(())
    }

    /// Notes that our runs are in one of somebody else.
    fn note_parent(&self) {
        let id = self.pipeline.clone();
        let known = Known::new(id.clone(), String::new());
        let noted = self.spool.sent(0, vec![(id, known)], true);
        self.check(noted);
    }

    fn pipeline_tags(&mut self, pipeline: &Pipeline, name: (String, String)) -> Pairs {
        let mut tags = vec![name];
        tags.push(("mlflow.project.entryPoint".to_owned(), "main".to_owned()));
        tags.push(("mlflow.project.backend".to_owned(), "local".to_owned()));
        tags.extend(self.trees.tags(&pipeline.root, None));
        record::tags(tags)
    }
}

fn failed(store: &Store, source: StoreError) -> TrackingError {
    TrackingError::Start {
        store: store.place.shown(),
        source,
    }
}
