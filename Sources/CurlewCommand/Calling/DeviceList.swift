#if Tools
import Curlew
import CurlewTransport

/// The devices of `curlew call`, in the order in which they were given, each once.
struct DeviceList {
    private(set) var names: [String] = []

    /// - Parameters:
    ///   - given: The devices of the command line.
    ///   - file: The file of --devices.
    init(_ given: [String], file: String?) async throws {
        var names = given
        if let file {
            names += try await Self.lines(of: file)
            guard !names.isEmpty else { throw CommandFailure("\(Self.source(file)) names no device.") }
        }
        var known: Set<String> = []
        for name in names {
            try name.requireName(of: "device")
            if known.insert(name).inserted { self.names.append(name) }
        }
    }

    private static func lines(of file: String) async throws -> [String] {
        let bytes: [UInt8]
        if file == "-" {
            bytes = Array(try await Input(.standardInput, name: "standard input").readToEnd().readableBytesView)
        } else {
            let content: [UInt8]?
            do throws(SystemError) { content = try bytesOfFile(file) } catch {
                throw CommandFailure("The file '\(file)' of --devices cannot be read: \(error).")
            }
            guard let content else { throw CommandFailure("The file '\(file)' of --devices does not exist.") }
            bytes = content
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure("\(Self.source(file)) is not UTF-8 text; give the devices in UTF-8.")
        }
        // Some editors begin a file with a byte order mark.
        return text.drop { $0 == "\u{FEFF}" }.split(whereSeparator: \.isNewline)
            .map { String($0).trimmingSpaces }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
    }

    private static func source(_ file: String) -> String {
        file == "-" ? "Standard input, which --devices reads," : "The file '\(file)' of --devices"
    }
}

extension String {
    /// Throws if this cannot be the name of one device or method.
    ///
    /// - Parameter kind: What it names.
    func requireName(of kind: String) throws {
        if self.isEmpty { throw CommandFailure("The name of the \(kind) is empty.") }
        guard self.utf8.contains(where: { "+#\0".utf8.contains($0) }) else { return }
        throw CommandFailure(
            "The name of the \(kind), '\(self)', contains + or #, or a zero byte; give the name of one \(kind).")
    }

    fileprivate var trimmingSpaces: String {
        String(self.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
#endif
