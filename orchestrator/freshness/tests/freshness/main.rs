//! What is up to date and what is not, with real files and real repositories.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is the failure of a test"
)]

mod pipeline;

use pipeline::Pipeline;

#[test]
fn a_step_that_has_run_is_up_to_date() {
    for pipeline in [Pipeline::new(), Pipeline::with_git()] {
        pipeline.runs_for("has not run before");
        pipeline.make();
        pipeline.is_up_to_date();
        pipeline.write("step/train.py", "print(2)");
        pipeline.runs_for("code changed: train.py");
        pipeline.make();
        pipeline.is_up_to_date();
    }
}
