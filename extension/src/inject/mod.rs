//! Carries out the decisions about one invocation. Everything that is done to it is in the ledger
//! before its last answer is sent to the platform. A fault that cannot be carried out does not
//! touch the invocation, and its line has `done: false`.
//!
//! Several faults on one invocation are carried out in this order, and those of one step in the
//! plan's order:
//!
//! 1. the waits before the handler, one after another;
//! 2. the first fault that prevents delivery to the handler (refuse, hold of the deadline, kill
//!    before): it ends the list;
//! 3. all edits of the event, each on the result of the one before;
//! 4. the handler runs;
//! 5. hand twice: the first answer is discarded at once and the handler runs again. Of two such
//!    faults only the first is carried out;
//! 6. the waits after the handler;
//! 7. the answer to an edited event that may grant access becomes an error: it ends the list;
//! 8. the first fault that ends the invocation (lose the answer, replace, cut, corrupt, drop,
//!    stream, kill after); the others are not carried out.
//!
//! The handler's own error is not changed: steps 5, 7 and 8 do not apply to it.

mod alter;
pub(crate) mod answer;
pub(crate) mod context;
pub(crate) mod edit;
pub(crate) mod event;
pub(crate) mod kill;
mod pace;
mod refuse;
mod requests;
mod steps;
mod twice;
mod upload;
