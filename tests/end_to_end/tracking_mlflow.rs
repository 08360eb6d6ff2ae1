//! Runs recorded here, read back by MLflow itself. Needs MLflow on PATH: `bash .ci/run tracking`.
