//! Panics of polars, which become errors.
//!
//! Only what polars does is run here, so that a fault of ours is never taken for one of polars.

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow};

/// How many threads are within polars.
static WITHIN: AtomicUsize = AtomicUsize::new(0);

/// Does what polars may panic at, such as a file of a kind that it does not expect, and makes an
/// error of a panic.
pub(super) fn unless_it_panics<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    static HOOK: Once = Once::new();

    HOOK.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // Its text is told with the error. Polars has threads of its own, which panic for ours.
            if WITHIN.load(Ordering::SeqCst) == 0 {
                hook(panic);
            }
        }));
    });
    WITHIN.fetch_add(1, Ordering::SeqCst);
    let result = catch_unwind(AssertUnwindSafe(work));
    WITHIN.fetch_sub(1, Ordering::SeqCst);
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("it did not say why");
        Err(anyhow!("polars does not know what to do with it: {text}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let error = unless_it_panics(|| -> Result<()> { panic!("number {}", 1) }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "polars does not know what to do with it: number 1"
        );
        assert_eq!(unless_it_panics(|| Ok(3)).unwrap(), 3);
    }
}
