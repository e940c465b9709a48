//! Who rings, when, for how long, and who won: the ring machine on a virtual clock.
//! First a table that reads as a specification, then single cases. The laws that hold in every call
//! are in `tests/laws.rs`.

#[path = "ring/cases.rs"]
mod cases;
#[path = "ring/causes.rs"]
mod causes;
#[path = "ring/story.rs"]
mod story;
#[path = "ring/table.rs"]
mod table;
#[path = "ring/times.rs"]
mod times;
