#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// What changes when a file is written or replaced, so that it need not be read to see that.
///
/// Symbolic links are followed, because some programs install files by replacing a link.
struct FileStamp: Hashable, Sendable {
    private let device: UInt64
    private let file: UInt64
    private let size: Int64
    private let seconds: Int64
    private let nanoseconds: Int64

    /// Returns `nil` if there is no such file.
    init?(_ path: String) {
        var status = stat()
        guard path.withKeptCString({ stat($0, &status) }) == 0 else { return nil }
        self.device = UInt64(truncatingIfNeeded: status.st_dev)
        self.file = UInt64(truncatingIfNeeded: status.st_ino)
        self.size = Int64(status.st_size)
        #if canImport(Darwin)
        let modification = status.st_mtimespec
        #else
        let modification = status.st_mtim
        #endif
        self.seconds = Int64(modification.tv_sec)
        self.nanoseconds = Int64(modification.tv_nsec)
    }

    /// The stamp of a file, or those of a directory and of the files in it. Blocks.
    static func all(at path: String) -> [Self?] {
        guard Files.isDirectory(path), let files = try? Files.list(path) else { return [Self(path)] }
        return [Self(path)] + files.map { Self($0) }
    }
}
