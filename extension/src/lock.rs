//! Locking that survives a panic of another thread. It must never fail: a poisoned lock would cost the function every later event.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, whatever a thread that panicked may have left in it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
