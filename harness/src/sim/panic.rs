//! Panics on a run's thread: kept with their backtrace instead of printed.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics on threads of runs silent and remembered. The hook is the process's: it is set once, and other threads keep the one before.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if entropy::is_active() {
                let text = format!("{info}\n{}", Backtrace::force_capture());
                LAST.with_borrow_mut(|last| *last = Some(text));
            } else {
                before(info);
            }
        }));
    });
}

/// The message of a caught panic, with its place and backtrace if the hook saw it.
pub(super) fn describe(payload: &(dyn Any + Send)) -> String {
    if let Some(seen) = LAST.with_borrow_mut(Option::take) {
        return seen;
    }
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".to_owned())
}
