// Confinement limits the files that a child may write, read and reach. The kernel (Landlock)
// enforces it from before the child's first instruction, for it and for all that it ever starts.
// Makes the rules; the child itself takes them on, see SpawnRequest::ruleset_fd. Never loosens by
// itself: a rule that cannot be enforced is an error. Any thread.
//
// It does not stop, at any ABI that is known here:
// - changes of anything but content: chmod, chown, utimes, setxattr, file locks, and watching
//   files (inotify); stat and readlink of every path, also with restricted reads
// - descriptors that were open before: the child's stdin, stdout, stderr
// - sockets with a path: a session bus, docker.sock, ssh-agent, a tmux or X server that the user
//   may connect to acts outside, for every client
// - networks other than TCP: UDP (so also QUIC and DNS), ICMP, netlink
// - resources that are no files: memory, CPU time, System V IPC. Landlock does not know the rights
//   of root; spawn() takes most of them away: no modules, no clock, no other process's environment,
//   no immutable files; owners and modes, user ids and raw sockets stay.
// - a file beneath a writable folder that has another name (a hard link) outside: it is one file
// - execution of readable files, and of everything where reads are not restricted
// It stops these only from some ABI on; before, the others hold all the same:
// - ABI 1 refuses every rename and link from one directory into another, also between writable ones
// - before ABI 3 truncate() empties files that it cannot write
// - before ABI 4 TCP; asking for `no_network` there is an error
// - before ABI 5 ioctl on devices that can be opened for reading
// - before ABI 6 signals to the user's other processes, and abstract Unix sockets
// Inside: no set-user-ID program gains rights (sudo, su, ping on some machines), mount and a
// sandbox that mounts (bubblewrap: Codex's own) fail, and a process outside cannot be traced, nor
// its /proc/PID/mem, environ or root be opened.
// Writable files are the ones found at the start, links followed: a file that others replace by a
// rename meanwhile is another file, and programs that save by a rename (most do) need the folder.
#pragma once

#include <string>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet {

struct Confinement {
  /// Absolute paths of folders, with all that is beneath, and of single files. Each must exist. The
  /// child can write no other file but /dev/null, zero, full, random, urandom and tty: programs
  /// take these for granted, and they store no data. TMPDIR, /tmp and /dev/shm (Python's
  /// multiprocessing wants it) are not among them, since all programs of the user share them: the
  /// caller gives the child a TMPDIR of its own, and names it here.
  std::vector<std::string> writable;
  /// With restrict_reads: absolute paths that can be read and executed, beside the writable ones,
  /// the program itself, and the system's own (see confine_linux.cpp). A missing path is skipped.
  std::vector<std::string> readable;
  bool restrict_reads = false;
  bool no_network = false;  ///< no TCP, not even to this machine; kDenied before ABI 4
  /// Pseudo-terminals can be opened (/dev/ptmx, /dev/pts), for programs that run others in one. Not
  /// by default: the kernel cannot tell a new one from the one that the user sits at, so such a
  /// child can write on the user's screen and, as root, type for the user.
  bool terminals = false;
  /// Absolute paths of folders that can be written like those in `writable`, but in which no folder
  /// can be removed or renamed, nor in those beneath, apart from the ones in `writable`. No frame
  /// to a keeper carries them.
  std::vector<std::string> keeping_folders;
};

struct ConfinementSupport {
  int abi = 0;         ///< Landlock's version; 0: there is none
  std::string reason;  ///< the reason that there is none
};
/// Asks the kernel each time; about a microsecond.
ConfinementSupport confinement_support();

/// A program about to run; it needs to read its own files.
struct ConfinedProgram {
  std::string path;                   ///< see find_program()
  const char* search_path = nullptr;  ///< its PATH; null: none
  const char* home = nullptr;         ///< its HOME; null: none
  std::string cwd;
};

/// The rules as a descriptor for SpawnRequest::ruleset_fd, good for any number of children.
/// Errors: no support (kDenied, with the reason), a writable path that is not absolute or not there
/// (kInvalid), that is out of reach (kDenied).
Result<Fd> make_ruleset(const Confinement& confinement, const ConfinedProgram& program,
                        const ConfinementSupport& support = confinement_support());

}  // namespace moonlet
