//! The tests that see the program from outside, one file a part.

mod scripting;
