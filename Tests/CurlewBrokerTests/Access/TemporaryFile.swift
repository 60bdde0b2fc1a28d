import Foundation

/// A file that is removed at the end of the test.
struct TemporaryFile {
    let path: String

    static func with(_ text: String, _ test: (TemporaryFile) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "curlew-\(UUID().uuidString)").path
        let file = TemporaryFile(path: path)
        try file.write(text)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await test(file)
    }

    func write(_ text: String) throws { try self.write(bytes: Array(text.utf8)) }

    func write(bytes: [UInt8]) throws { try Data(bytes).write(to: URL(filePath: self.path)) }

    func setPermissions(_ permissions: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: self.path)
    }
}
