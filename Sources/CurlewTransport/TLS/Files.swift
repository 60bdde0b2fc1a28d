#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Reading files without Foundation. All of it blocks, so none of it belongs on an event loop.
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
        return stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    package static func read(_ path: String) throws(Failure) -> [UInt8] {
        guard !Self.isDirectory(path) else { throw Failure(errno: EISDIR) }
        guard let file = fopen(path, "rb") else { throw Failure(errno: errno) }
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
        guard let stream = opendir(directory) else { throw Failure(errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted().map { directory.hasSuffix("/") ? directory + $0 : directory + "/" + $0 }
    }
}
