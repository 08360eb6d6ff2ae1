//! Opens a database: to write, which makes one where there is none, or only to look.

use process::files::is_on_local_disk;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::super::artifacts::location_in;
use super::schema::read_schema;
use super::{Hurry, Patience, SLICE, Schema, Sqlite, StoreError, identity};
use mlproject::file::open_regular;

const BASE_SCHEMA: &str = include_str!("base_schema.sql");

/// Where the format of a database file is: 1 for a rollback journal, 2 for the write-ahead log.
const FORMAT: std::ops::Range<usize> = 18..20;

impl Sqlite {
    /// Opens a database, or makes one in the form that every MLflow upgrades.
    pub(crate) fn open(
        path: &Path,
        timeout: Option<Duration>,
        root: &Path,
        hurry: &Hurry,
    ) -> Result<Sqlite, StoreError> {
        let is_there = is_there(path)?;
        let default = location_in(&root.join("mlruns").join("0"));
        if !is_there {
            // As MLflow (`_make_parent_dirs_if_sqlite` in mlflow/store/db/utils.py).
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| {
                    let folder = folder.display();
                    StoreError::Unavailable(format!("the folder {folder} cannot be made: {error}"))
                })?;
            }
            // One that cannot be made so is made by sqlite below, or that tells why it cannot be.
            make(path, &default).ok();
        }
        let connection = Connection::open(path)?;
        let mut store = Sqlite::new(connection, path, root, hurry)?;
        store.timeout = timeout;
        store
            .connection
            .execute_batch("PRAGMA synchronous = NORMAL")?;
        store.transact(Patience::Full, |transaction, schema| {
            if schema.columns.is_empty() {
                transaction.execute_batch(BASE_SCHEMA)?;
                transaction.execute(DEFAULT_EXPERIMENT, [&default])?;
            }
            Ok(())
        })?;
        store.identity = identity(path);
        store.beside = BESIDE.map(|suffix| identity(&beside(path, suffix)));
        Ok(store)
    }

    /// Opens the database anew after somebody has removed it or put another file in its place.
    pub(crate) fn reopen(&mut self) -> Result<(), StoreError> {
        // Closes the old one, which then leaves alone what is beside the name that it had.
        self.connection = Connection::open_in_memory()?;
        for (suffix, known) in BESIDE.iter().zip(self.beside) {
            let left = beside(&self.path, suffix);
            // A log of the old file would be taken for one of the new.
            if known.is_some() && identity(&left) == known {
                std::fs::remove_file(left).ok();
            }
        }
        *self = Sqlite::open(&self.path, self.timeout, &self.root, &self.hurry)?;
        Ok(())
    }

    fn new(
        connection: Connection,
        path: &Path,
        root: &Path,
        hurry: &Hurry,
    ) -> Result<Sqlite, StoreError> {
        connection.busy_timeout(SLICE)?;
        Ok(Sqlite {
            connection,
            path: path.to_owned(),
            root: root.to_owned(),
            schema: Schema::default(),
            hurry: hurry.clone(),
            timeout: None,
            identity: None,
            beside: [None; 2],
            copy: None,
        })
    }

    /// Opens a database only to look; none if there is nothing in it. Neither it nor the folder is
    /// written, so that both may belong to somebody else.
    pub(crate) fn look(path: &Path, root: &Path) -> Result<Option<Sqlite>, StoreError> {
        if !is_there(path)? {
            return Ok(None);
        }
        let unreadable = |error: io::Error| StoreError::Refused(error.to_string());
        let mut head = [0; FORMAT.end];
        let length = open_regular(path).and_then(|mut file| file.read(&mut head));
        if length.map_err(unreadable)? == 0 {
            return Ok(None);
        }
        let has = |suffix| {
            beside(path, suffix)
                .metadata()
                .is_ok_and(|file| file.len() > 0)
        };
        let has_log = head[FORMAT] == [2, 2];
        let how = match (has_log, has("-wal")) {
            // Nobody has it open, or its whole content would not be in the one file.
            (true, false) => Some("immutable=1"),
            (true, true) if has("-shm") => Some("readonly_shm=1"),
            (false, _) if !has("-journal") => Some("nolock=0"),
            // Left by a process that was killed: reading would begin with repairing.
            _ => None,
        };
        let hurry = Hurry::default();
        if let Some(how) = how
            && let Ok(mut store) = Sqlite::new(read_only(path, how)?, path, root, &hurry)
            && store.read_columns().is_ok()
        {
            return Ok(Some(store));
        }
        let copy = copy(path).map_err(unreadable)?;
        let connection = Connection::open(copy.path().join("copy.db"))?;
        let mut store = Sqlite::new(connection, path, root, &hurry)?;
        store.read_columns()?;
        store.copy = Some(copy);
        Ok(Some(store))
    }

    fn read_columns(&mut self) -> Result<(), StoreError> {
        self.waited(Patience::Full, |store| {
            let transaction = store.connection.transaction()?;
            let version = transaction.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
            store.schema = read_schema(&transaction, version, &store.path)?;
            Ok(())
        })
    }
}

/// What sqlite keeps beside a database that is open.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

const DEFAULT_EXPERIMENT: &str = "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) VALUES (0, 'Default', ?1, 'active')";

/// Whether there is a database file; something else in its place is an error, as a FIFO would be
/// waited for.
fn is_there(path: &Path) -> Result<bool, StoreError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(found) if found.is_dir() => Err(StoreError::Refused("it is a folder".to_owned())),
        Ok(_) => Err(StoreError::Refused("it is not a regular file".to_owned())),
        // What is wrong otherwise is told by who opens it.
        Err(_) => Ok(false),
    }
}

/// Makes a database, complete from its first moment on: of several processes that do this at once
/// one is the first, and all use its file.
fn make(path: &Path, default: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch(BASE_SCHEMA)?;
    connection.execute(DEFAULT_EXPERIMENT, [default])?;
    let mut image = connection.serialize("main")?.to_vec();
    let folder = path.parent().unwrap_or(path);
    if is_on_local_disk(folder) {
        image[FORMAT].fill(2);
    }
    let mut file = tempfile::Builder::new()
        .prefix(".orchestrator-")
        .suffix(".db")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(&image)?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error.into()),
        _ => Ok(()),
    }
}

fn read_only(path: &Path, how: &str) -> Result<Connection, StoreError> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'_' | b'-' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.extend(["%".to_owned(), format!("{byte:02X}")]),
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(
        format!("{uri}?mode=ro&{how}"),
        flags,
    )?)
}

/// The file with this text after its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Copies a database and what belongs to it to a folder of its own.
fn copy(path: &Path) -> io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for suffix in ["", "-wal", "-journal"] {
        match open_regular(&beside(path, suffix)) {
            Ok(mut from) => {
                let mut to = File::create(folder.path().join(format!("copy.db{suffix}")))?;
                io::copy(&mut from, &mut to)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(folder)
}
