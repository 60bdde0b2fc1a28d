#if Tools
/// Reads files. Tests replace it.
struct ConfigurationFiles: Sendable {
    /// The text of a file; `nil` if there is none.
    var text: @Sendable (_ path: String) throws(SystemError) -> String?
    /// The names of the entries of a folder, in any order.
    var names: @Sendable (_ folder: String) throws(SystemError) -> [String]

    static let system = Self { path throws(SystemError) in
        try textOfFile(path)
    } names: { path throws(SystemError) in
        try namesInFolder(path)
    }
}

extension ConfigurationFiles {
    /// The files of a folder that mosquitto reads for `include_dir`, in its order: alphabetically, each capital before
    /// its small letter.
    func configurations(in folder: String) throws(SystemError) -> [String] {
        try self.names(folder)
            .filter { $0.hasSuffix(".conf") }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) { Self.rank($0) < Self.rank($1) } }
            .map { folder.hasSuffix("/") ? folder + $0 : "\(folder)/\($0)" }
    }

    private static func rank(_ letter: UInt8) -> (UInt8, UInt8) {
        ((UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) ? letter - 32 : letter, letter)
    }
}
#endif
