import CurlewTransport
import Dispatch

/// A file that configures a hook. Reads and parses it neither on event loops nor on the threads of Swift's tasks.
struct SettingsFile: Sendable {
    let path: String
    /// Its name in errors, such as `password file`.
    let kind: String

    /// The name at the beginning of a sentence.
    var name: String { "The \(self.kind) '\(self.path)'" }

    /// Reads the file.
    ///
    /// - Parameter parse: Parses the text.
    /// - Throws: An error of the operating system or of `parse`.
    func load<Value: Sendable>(
        _ parse: @escaping @Sendable (String) throws(MQTTBrokerError) -> Value
    ) async throws(MQTTBrokerError) -> Value {
        let result: Result<Value, MQTTBrokerError> = await withCheckedContinuation { continuation in
            DispatchQueue.global(qos: .utility).async {
                continuation.resume(
                    returning: Result { () throws(MQTTBrokerError) in try parse(self.read()) })
            }
        }
        return try result.get()
    }

    private func read() throws(MQTTBrokerError) -> String {
        let bytes: [UInt8]
        do throws(Files.Failure) {
            bytes = try Files.read(self.path)
        } catch {
            throw MQTTBrokerError(.invalidConfiguration, "\(self.name) cannot be read: \(error.reason).", cause: error)
        }
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let broken = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
        throw MQTTBrokerError(
            .invalidConfiguration, "\(self.name), line \(broken + 1): the line is not UTF-8; convert the file to it.")
    }
}
