//! What the program promises about what it is given: configuration, lists of accounts, command line.

mod command_line;
mod text;
