//! What look-ups have found and the hand has not yet handed on.
//! One entry a stage that is looked up, and in it a piece for each target that has been found.
//! The hand reads and writes both: `look_up.rs` says when what rings.

use crate::contacts::Contact;
use crate::plan::{Target, Variables};
use crate::ring::{PartId, StageId, Time};

/// A stage that is looked up.
pub struct LookUp {
    pub number: u64,
    pub part: PartId,
    pub stage: StageId,
    /// How many targets nothing is known of yet.
    pub open: usize,
    /// What is known and does not ring yet, by the target's place in the stage.
    pub found: Vec<(usize, Found)>,
    pub together: Time,
    /// How many devices had registered before.
    pub registered: u64,
}

/// What a target comes to.
#[derive(Default)]
pub struct Found {
    pub contacts: Vec<Contact>,
    /// Every directory user that may register, and the target that names it.
    pub users: Vec<(String, Target)>,
    /// So many turns at least its stage has.
    pub turns: usize,
    /// Variables of the caller's that tell of it.
    pub set: Variables,
}
