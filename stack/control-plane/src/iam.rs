//! Refuses a call that its caller's policy does not allow.

use crate::answer::{Answer, Request};
use crate::state::ControlPlane;

impl ControlPlane {
    /// Refuses a call that its caller's policy does not allow.
    ///
    /// # Errors
    /// The refusal.
    pub fn authorize(&mut self, request: &Request<'_>) -> Result<(), Answer> {
        let Some(key) = request.caller else { return Ok(()) };
        let needs = self.needs(request);
        for need in &needs {
            let status = if request.target.is_some() { 400 } else { 403 };
            let error = if request.action().is_some() { "AccessDenied" } else { "AccessDeniedException" };
            self.rights.allow(key, need).map_err(|why| Answer::refused(status, error, why))?;
        }
        Ok(())
    }
}
