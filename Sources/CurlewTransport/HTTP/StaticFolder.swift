import CurlewCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A folder whose files a listener for WebSocket serves to browsers.
package struct StaticFolder: Sendable {
    private let path: String

    /// Checks that there is such a folder, which blocks.
    package init(_ path: String) throws(TransportError) {
        guard Files.isDirectory(path) else {
            throw TransportError(
                .invalidConfiguration, "The folder \(path) of static files does not exist, or is not a folder.")
        }
        self.path = path
    }

    /// Opens the file that a request asks for; `nil` if there is none that may be served. Blocks.
    ///
    /// Names that begin with a dot are never served, so neither `..` nor hidden files. A symbolic link is followed only
    /// if it leads to a file in the folder.
    ///
    /// - Parameter target: Path and query. The path of a folder stands for its `index.html`.
    func open(_ target: String) -> StaticFile? {
        guard let bytes = String(target.prefix { $0 != "?" }).percentDecodedBytes, bytes.first == UInt8(ascii: "/"),
            !bytes.contains(0)
        else { return nil }
        let names = bytes.split(separator: UInt8(ascii: "/"))
        guard names.allSatisfy({ $0.first != UInt8(ascii: ".") }) else { return nil }
        var path = self.path + "/" + String(keeping: Array(names.joined(separator: [UInt8(ascii: "/")])))
        if Files.isDirectory(path) { path += "/index.html" }
        guard let folder = Self.realPath(self.path), let real = Self.realPath(path),
            real.hasPrefix(folder.hasSuffix("/") ? folder : folder + "/")
        else { return nil }
        return StaticFile(real)
    }

    /// The path without symbolic links.
    private static func realPath(_ path: String) -> String? {
        guard let real = path.withKeptCString({ realpath($0, nil) }) else { return nil }
        defer { free(real) }
        return String(keepingCString: real)
    }
}

/// An open file. It is closed when nothing refers to it any more.
final class StaticFile: Sendable {
    private let descriptor: CInt
    let size: Int
    /// The media type, by the extension of the name.
    let type: String

    /// Returns `nil` if it cannot be opened, or is no regular file.
    fileprivate init?(_ path: String) {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = path.withKeptCString { Self.open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        self.size = Int(status.st_size)
        let name = path.split(separator: "/").last ?? ""
        let ending = name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
        self.type = Self.types[ending] ?? "application/octet-stream"
    }

    deinit { close(self.descriptor) }

    /// Reads up to `count` bytes; `nil` if there are none, or if reading fails. Blocks.
    func read(at offset: Int, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = bytes.withUnsafeMutableBytes { pread(self.descriptor, $0.baseAddress, count, off_t(offset)) }
        guard read > 0 else { return nil }
        bytes.removeLast(count - read)
        return bytes
    }

    private static func open(_ path: UnsafePointer<CChar>, _ flags: CInt) -> CInt {
        #if canImport(Darwin)
        Darwin.open(path, flags)
        #elseif canImport(Musl)
        Musl.open(path, flags)
        #else
        Glibc.open(path, flags)
        #endif
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "json": "application/json", "map": "application/json", "txt": "text/plain; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "webp": "image/webp", "ico": "image/x-icon", "wasm": "application/wasm", "woff2": "font/woff2",
    ]
}
