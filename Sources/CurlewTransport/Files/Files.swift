import CurlewCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// File access without Foundation. It blocks, so do not call it on an event loop.
///
/// File names need not be UTF-8, so a path is text that keeps their bytes (`String(keeping:)`).
package enum Files {
    /// Why a file cannot be read, as the operating system describes it.
    package struct Failure: Error {
        package let reason: String

        /// The failure of the last system call.
        static var last: Self { Self(errno: errno) }

        init(errno code: CInt) {
            self.reason = String(cString: strerror(code))
        }

        init(reason: String) {
            self.reason = reason
        }
    }

    /// More than any certificate bundle needs: prevents reading a whole disk image or device by mistake.
    private static let maximumSize = 16 << 20

    /// Whether everyone with an account on the machine may read the file.
    package static func isReadableByEveryone(_ path: String) -> Bool {
        var status = stat()
        return path.withKeptCString { stat($0, &status) } == 0 && status.st_mode & S_IROTH != 0
    }

    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return path.withKeptCString { stat($0, &status) } == 0
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return path.withKeptCString { stat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package static func read(_ path: String) throws(Failure) -> [UInt8] {
        guard !Self.isDirectory(path) else { throw Failure(errno: EISDIR) }
        guard let file = path.withKeptCString({ fopen($0, "rb") }) else { throw Failure(errno: errno) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            guard ferror(file) == 0 else { throw Failure(errno: errno) }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= Self.maximumSize else { throw Failure(reason: "File too large") }
        }
    }

    /// The paths of the files in a directory, sorted, without hidden files.
    static func list(_ directory: String) throws(Failure) -> [String] {
        guard let stream = directory.withKeptCString({ opendir($0) }) else { throw Failure(errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(keeping: bytes.prefix { $0 != 0 })
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted().map { directory.hasSuffix("/") ? directory + $0 : directory + "/" + $0 }
    }
}

extension String {
    /// Calls `body` with a C string of a path or other text that keeps bytes. The pointer is valid only during the
    /// call.
    package func withKeptCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let bytes = self.keptBytes.map(CChar.init(bitPattern:)) + [0]
        return bytes.withUnsafeBufferPointer { buffer in
            // Never `nil`: the array contains at least the final zero.
            guard let start = buffer.baseAddress else { return "".withCString(body) }
            return body(start)
        }
    }

    /// Creates text that keeps the bytes of a C string.
    package init(keepingCString string: UnsafePointer<CChar>) {
        self.init(keeping: UnsafeRawBufferPointer(start: string, count: strlen(string)))
    }
}
