// The folders for temporary files of a run's agents, which lie outside of `.agent`: each is
// recorded in the run's folder before it is used, so that a later host can remove the folders of a
// dead host. Removes only folders whose name has that form. Blocking, any thread.
#pragma once

#include <string_view>

#include "host/artifact/file/dir.h"

namespace moonlet {

/// The folder of the records, in a run's folder. Each record is a file: its name is the temporary
/// folder's name, its text is the absolute path.
inline constexpr char kTemporaryRecords[] = "temporary";

/// True for the name of a temporary folder: "moonlet-" and 16 hex digits.
bool is_temporary_folder_name(std::string_view name);

/// Removes all recorded folders and their records. Keeps a record whose name has another form, and
/// its folder. Only for the holder of the run's lock, after all of the run's processes have ended.
void remove_temporary_folders(const Dir& run_dir);

}  // namespace moonlet
