//! Whose turn it is, and who is free: named groups without a switch.
//! First a table that reads as a specification, then laws over random histories, then single cases.

#[path = "groups/config.rs"]
mod config;
#[path = "groups/expand.rs"]
mod expand;
#[path = "groups/laws.rs"]
mod laws;
#[path = "groups/members.rs"]
mod members;
#[path = "groups/memory.rs"]
mod memory;
#[path = "groups/redis.rs"]
mod redis;
#[path = "groups/table.rs"]
mod table;
#[path = "groups/write.rs"]
mod write;
