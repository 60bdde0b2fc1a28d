import CurlewCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Reading files without Foundation. All of it blocks, so none of it belongs on an event loop.
///
/// A path is text that keeps the bytes of the file's name (`String(keeping:)`), for names need not be UTF-8.
package enum Files {
    /// Why a file cannot be read, in the words of the operating system.
    package struct Failure: Error {
        package let reason: String

        /// What the last call failed for.
        static var last: Self { Self(errno: errno) }

        init(errno code: CInt) {
            self.reason = String(cString: strerror(code))
        }

        init(reason: String) {
            self.reason = reason
        }
    }

    /// More than any certificate bundle has: keeps a mistaken path, to a disk image or a device, from filling the memory.
    private static let maximumSize = 16 << 20

    /// Whether everybody who has an account on the machine may read the file.
    package static func isReadableByEveryone(_ path: String) -> Bool {
        var status = stat()
        return path.withKeptCString { stat($0, &status) } == 0 && status.st_mode & S_IROTH != 0
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

    /// The paths of what is in a directory, sorted, without hidden files.
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
    /// Gives a path, or other text that keeps bytes, to the operating system. The pointer is valid during the call alone.
    package func withKeptCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let bytes = self.keptBytes.map(CChar.init(bitPattern:)) + [0]
        return bytes.withUnsafeBufferPointer { buffer in
            // An array that ends with a zero is not empty.
            guard let start = buffer.baseAddress else { return "".withCString(body) }
            return body(start)
        }
    }

    /// Text that keeps the bytes of a string of C.
    package init(keepingCString string: UnsafePointer<CChar>) {
        self.init(keeping: UnsafeRawBufferPointer(start: string, count: strlen(string)))
    }
}
