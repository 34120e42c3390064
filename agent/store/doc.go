// Package store keeps what a node holds on its disk, so that a crash at any
// step leaves it wholly old or wholly new.
//
// Below the agent's directory:
//
//	current -> generations/7/files      what runs: current/<target>.json
//	generations/7/header.json           position, manifest, documents, behind a checksum
//	generations/7/received/<target>     the copies as received (a "/" is written %2F)
//	generations/7/files/<target>.json   the files for applications
//	generations/7/good                  mark: it ran and passed its checks
//	generations/7/undoing               mark: it is being taken back
//	generations/7/failed.json           mark: it was taken back, and why
//	generations/7/told                  mark: a controller was told why
//	accepted.json                       a position above those of the generations, if any
//	lock                                held by the process that runs
//
// A generation is written and synced under another name, then renamed: the
// rename is the moment at which its position counts as accepted. After that it
// is never changed but for its marks. The symlink current is the only thing
// that decides what runs; it is replaced by rename and its directory synced.
//
// It is not for: deciding whether an update may be applied, running hooks,
// talking to controllers, keys (package agent).
//
// A Store belongs to one goroutine, starts none and has no lock. All file
// access goes through an os.Root: no name leads out of the directory.
package store
