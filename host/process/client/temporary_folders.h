// Removes the temporary folders of a run's agents, which lie outside of `.agent`.
// Each folder is recorded before its use, so that a later host can remove a dead host's folders.
// Only folders with a moonlet- name are removed. Blocking, any thread.
#pragma once

#include <string_view>

#include "host/artifact/file/dir.h"

namespace moonlet {

/// kTemporaryRecords is the folder of the records, below a run's folder.
/// A record is a file with the temporary folder's name, and its absolute path as the text.
inline constexpr char kTemporaryRecords[] = "temporary";

/// Returns true for "moonlet-" and 16 hex digits.
bool is_temporary_folder_name(std::string_view name);

/// Removes all recorded folders and their records. Ignores records whose name is invalid.
/// Only the holder of the run's lock may call this, after all processes have ended.
void remove_temporary_folders(const Dir& run_dir);

}  // namespace moonlet
