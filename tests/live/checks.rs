//! What is checked on the real switch beyond the table.
//! Each check is a name and a function that gets the rig and says what is wrong.
//! They use slots of their own, or run alone where they load and unload the module.
