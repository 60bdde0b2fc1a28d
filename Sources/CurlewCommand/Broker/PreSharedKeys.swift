#if Tools
import CurlewBroker
import CurlewCore

/// A file of pre-shared keys in mosquitto's format: on each line the identity, a colon, and the key in hexadecimal.
enum PreSharedKeys {
    /// Reads the keys by their identities. Errors name the line but do not quote it.
    static func read(_ path: String, files: ConfigurationFiles) throws(MQTTBrokerError) -> [ExactText: Redacted<
        [UInt8]
    >] {
        let text: String?
        do throws(SystemError) { text = try files.text(path) } catch {
            throw MQTTBrokerError(.invalidConfiguration, "The key file '\(path)' cannot be read: \(error).")
        }
        guard let text else {
            throw MQTTBrokerError(.invalidConfiguration, "The key file '\(path)' does not exist.")
        }
        var keys: [ExactText: Redacted<[UInt8]>] = [:]
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.trimmed
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let key = HexadecimalKey(argument: String(parts[1])) else {
                throw self.mistake(
                    path, index,
                    "must contain an identity, a colon, and the key in hexadecimal digits, two for each byte")
            }
            guard let name = String(parts[0]).keptText else { throw self.mistake(path, index, "is not UTF-8") }
            guard keys.updateValue(Redacted(key.bytes), forKey: ExactText(name)) == nil else {
                throw self.mistake(path, index, "repeats the identity of an earlier key; give another")
            }
        }
        return keys
    }

    private static func mistake(_ path: String, _ index: Int, _ what: String) -> MQTTBrokerError {
        MQTTBrokerError(.invalidConfiguration, "Line \(index + 1) of the key file '\(path)' \(what).")
    }
}
#endif
