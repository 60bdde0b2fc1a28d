import CurlewCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A file with secrets in it that is written as a whole: whoever reads it, whenever, finds the old content or the new, and so
/// does everybody after a power cut.
package struct ReplacedFile {
    /// With symbolic links followed: the link stays, and what it leads to is replaced.
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
        // A device would not be written, but replaced by a file.
        guard status.st_mode & S_IFMT == S_IFREG else { throw Files.Failure(reason: "Not a regular file") }
        guard let real = path.withKeptCString({ realpath($0, nil) }) else { throw .last }
        defer { free(real) }
        self.path = String(keepingCString: real)
        self.old = status
    }

    /// Whether accounts beyond the owner and the group could read it so far.
    package var wasReadableByEveryone: Bool { self.old.map { $0.st_mode & S_IROTH != 0 } ?? false }

    /// Writes the new content beside the old, and puts it in its place. A new file is for its owner alone; an old one keeps its
    /// owner, and its group's right to read it.
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

    /// Owner, group and rights of what is replaced.
    private func takeOver(_ number: CInt) throws(Files.Failure) {
        guard let old else { return }
        var new = stat()
        guard fstat(number, &new) == 0 else { throw .last }
        if new.st_uid != old.st_uid || new.st_gid != old.st_gid {
            guard fchown(number, old.st_uid, old.st_gid) == 0 else { throw .last }
        }
        guard fchmod(number, S_IRUSR | S_IWUSR | (old.st_mode & S_IRGRP)) == 0 else { throw .last }
    }

    /// Has the folder written, too. A file system that cannot do that has done what it can.
    private func keepRename() {
        let folder = self.path.lastIndex(of: "/").map { String(self.path[...$0]) } ?? "."
        guard let stream = folder.withKeptCString({ opendir($0) }) else { return }
        fsync(dirfd(stream))
        closedir(stream)
    }
}
