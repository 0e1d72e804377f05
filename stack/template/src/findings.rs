//! What reading a template found: complaints about what AWS would refuse too, and notices about
//! what is not served here.

use faults::Complaint;

/// The findings so far, each with its place.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub complaints: Vec<Complaint>,
    pub notices: Vec<Complaint>,
}

impl Findings {
    /// AWS would refuse this.
    pub(crate) fn complain(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.complaints.push(Complaint::new(place, what));
    }

    /// This is not served here. The same notice is kept once.
    pub(crate) fn notice(&mut self, place: impl Into<String>, what: impl Into<String>) {
        let notice = Complaint::new(place, what);
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }
}
