// Confinement restricts a child's access to files and networks by Landlock, a kernel feature.
// Landlock restricts the child and its descendants from the program's first instruction on.
// make_ruleset() makes the rules; the child applies them, see SpawnRequest::ruleset_fd.
// A rule that cannot be enforced is an error. Any thread.
//
// No version of Landlock stops chmod, chown, utimes, setxattr, file locks and stat of any path; use
// of descriptors that were open before; connections to sockets with a path, such as docker.sock or
// ssh-agent; networks other than TCP (UDP, ICMP, netlink); memory, CPU time and System V IPC.
// Landlock does not limit root's capabilities. spawn() drops those that would bypass it, such as
// CAP_SYS_MODULE, but a root child can still change owners and user ids, and open raw sockets.
// A child can change a file outside its writable folders through a hard link inside.
// A child can execute readable files, and any file if reads are not restricted.
// Landlock ABI 1 refuses to rename and link files across folders, even writable folders. Before ABI
// 3, truncate() works on files that the child may not write. Before ABI 4, TCP works and
// `no_network` is an error. Before ABI 5, ioctl works on devices that can be opened for reading.
// Before ABI 6, signals and abstract sockets reach processes outside.
// A confined process gains no rights from set-user-ID programs (sudo, su, some ping). It cannot
// mount, so a nested sandbox such as Codex's bubblewrap fails. It cannot trace processes outside,
// or open their /proc/PID/mem and environ.
// Writable paths are resolved, links included, when the ruleset is made.
// A program that saves by rename (most do) needs write access to the folder.
#pragma once

#include <string>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet {

struct Confinement {
  /// `writable` lists absolute paths of existing files, and of folders with everything below.
  /// The child can also write /dev/null, zero, full, random, urandom and tty.
  /// TMPDIR, /tmp and /dev/shm are not writable, because all programs of the user share them.
  /// The caller gives the child a private TMPDIR and lists it in `writable`.
  std::vector<std::string> writable;
  /// `readable` lists paths that the child may read and execute with restrict_reads. Skips missing
  /// paths. The child can also read writable paths, its program, and the system's files.
  std::vector<std::string> readable;
  bool restrict_reads = false;
  bool no_network = false;  ///< no TCP, not even to this machine; kDenied before ABI 4
  /// Allows opening pseudo-terminals (/dev/ptmx, /dev/pts), for programs that need a terminal.
  /// The kernel cannot distinguish a new terminal from the user's.
  /// A child with terminals can write on the user's screen and, as root, type for the user.
  bool terminals = false;
  /// Lists absolute paths of writable folders whose subfolders cannot be removed or renamed.
  /// Subfolders in `writable` are exempt. The protocol between host and keeper omits this list.
  std::vector<std::string> keeping_folders;
};

struct ConfinementSupport {
  int abi = 0;         ///< Landlock's version; 0: unsupported
  std::string reason;  ///< why Landlock is unsupported
};
/// Asks the kernel for Landlock's version, which takes about a microsecond.
ConfinementSupport confinement_support();

/// ConfinedProgram is the program to run. The rules allow the child to read the program's files.
struct ConfinedProgram {
  std::string path;                   ///< see find_program()
  const char* search_path = nullptr;  ///< the program's PATH; null: none
  const char* home = nullptr;         ///< the program's HOME; null: none
  std::string cwd;
};

/// Returns the rules as a descriptor for SpawnRequest::ruleset_fd, for any number of children.
/// Fails with kDenied and the reason if Landlock is unsupported, or a writable path inaccessible.
/// Fails with kInvalid for a writable path that is relative or missing.
Result<Fd> make_ruleset(const Confinement& confinement, const ConfinedProgram& program,
                        const ConfinementSupport& support = confinement_support());

}  // namespace moonlet
