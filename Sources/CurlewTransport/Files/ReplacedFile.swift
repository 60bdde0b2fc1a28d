import CurlewCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A file with secrets that is replaced atomically: readers see either the old or the new content, even after a power
/// failure.
package struct ReplacedFile {
    /// Symbolic links are resolved: a link stays, and its target is replaced.
    private let path: String
    private let old: stat?

    package init(_ path: String) throws(Files.Failure) {
        var status = stat()
        guard path.withKeptCString({ stat($0, &status) }) == 0 else {
            guard errno == ENOENT else { throw .last }
            self.path = path
            self.old = nil
            return
        }
        guard !Files.isDirectory(path) else { throw Files.Failure(errno: EISDIR) }
        // A device file would be replaced by a regular file instead of being written.
        guard status.st_mode & S_IFMT == S_IFREG else { throw Files.Failure(reason: "Not a regular file") }
        guard let real = path.withKeptCString({ realpath($0, nil) }) else { throw .last }
        defer { free(real) }
        self.path = String(keepingCString: real)
        self.old = status
    }

    /// Whether the old file could be read by everyone, not only by its owner and group.
    package var wasReadableByEveryone: Bool { self.old.map { $0.st_mode & S_IROTH != 0 } ?? false }

    /// Writes the new content to a temporary file, which then replaces the old one. Only its owner may read a new file;
    /// a replaced file keeps its owner, its group, and the group's right to read it.
    package func replace(with bytes: [UInt8]) throws(Files.Failure) {
        var name = (self.path + ".XXXXXX").keptBytes.map(CChar.init(bitPattern:)) + [0]
        let number = mkstemp(&name)
        guard number >= 0 else { throw .last }
        defer { _ = close(number) }
        do throws(Files.Failure) {
            try self.takeOver(number)
            try Self.writeAll(bytes, to: number)
            guard fsync(number) == 0, self.path.withKeptCString({ rename(name, $0) }) == 0 else { throw .last }
        } catch {
            unlink(name)
            throw error
        }
        self.keepRename()
    }

    private static func writeAll(_ bytes: [UInt8], to number: CInt) throws(Files.Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(number, $0.baseAddress, $0.count) }
            guard written >= 0 || errno == EINTR else { throw .last }
            rest = rest.dropFirst(max(0, written))
        }
    }

    /// Copies owner, group and permissions from the old file.
    private func takeOver(_ number: CInt) throws(Files.Failure) {
        guard let old else { return }
        var new = stat()
        guard fstat(number, &new) == 0 else { throw .last }
        if new.st_uid != old.st_uid || new.st_gid != old.st_gid {
            guard fchown(number, old.st_uid, old.st_gid) == 0 else { throw .last }
        }
        guard fchmod(number, S_IRUSR | S_IWUSR | (old.st_mode & S_IRGRP)) == 0 else { throw .last }
    }

    /// Syncs the directory as well, so that the rename survives a power failure. Not all file systems support that.
    private func keepRename() {
        let folder = self.path.lastIndex(of: "/").map { String(self.path[...$0]) } ?? "."
        guard let stream = folder.withKeptCString({ opendir($0) }) else { return }
        fsync(dirfd(stream))
        closedir(stream)
    }
}
