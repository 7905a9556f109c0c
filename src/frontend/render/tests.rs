//! What a person would see, through a terminal emulator.
