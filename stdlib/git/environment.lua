--- Sets variables that keep git from starting programs, taking locks or using the terminal.
return {
  GIT_OPTIONAL_LOCKS = "0",
  GIT_TERMINAL_PROMPT = "0",
  GIT_NO_LAZY_FETCH = "1",
  GIT_ASKPASS = "",
  SSH_ASKPASS = "",
  GIT_LITERAL_PATHSPECS = "0",
  GIT_GLOB_PATHSPECS = "0",
  GIT_NOGLOB_PATHSPECS = "0",
  GIT_ICASE_PATHSPECS = "0",
  LC_ALL = "C",
}
