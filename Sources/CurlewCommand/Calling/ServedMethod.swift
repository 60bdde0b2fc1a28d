#if Tools
import Curlew
import CurlewTransport
import Foundation
import Synchronization

/// A method of `curlew serve`.
struct ServedMethod: Sendable {
    enum Kind: Sendable {
        case answer(JSONValue)
        /// The parameters are the answer.
        case echo
        case command(String)
    }

    let name: String
    let kind: Kind

    /// Prints a call.
    func say(_ params: JSONValue) throws {
        try Descriptor.standardOutput.writeAll(Array("\(self.name) \(params.text)\n".utf8))
    }

    func answer(_ params: JSONValue, to call: MQTTCall) async throws -> JSONValue {
        switch self.kind {
        case .answer(let answer): return answer
        case .echo: return params
        case .command(let command):
            do throws(ShellCommand.Problem) {
                let output = try await ShellCommand.run(
                    command, input: Array(params.text.utf8),
                    environment: ["CALL_METHOD": call.method, "CALL_DEVICE": call.device])
                var text = String(decoding: output, as: UTF8.self)
                if text.hasSuffix("\n") { text.removeLast() }
                return (try? JSONValue(argument: text)) ?? .string(text)
            } catch {
                switch error {
                case .cancelled: throw CancellationError()
                case .endedWith(let code): throw MQTTDeviceError(.integer(Int64(code)), "The command failed")
                default: throw MQTTDeviceError(nil, "The command failed: \(error)")
                }
            }
        }
    }
}

/// Counts calls until there were enough.
final class CallCounter: Sendable {
    private let left: Mutex<Int>
    private let last = OneShot<Void>()

    init(limit: Int) { self.left = Mutex(limit) }

    func ended() {
        let isLast = self.left.withLock { left in
            left -= 1
            return left == 0
        }
        if isLast { self.last.set(()) }
    }

    func waitForLast() async { _ = await self.last.wait() }
}

extension JSONValue {
    /// Reads JSON that a person has written; any other text is a string.
    ///
    /// - Throws: If the text begins like JSON and is not.
    init(argument: String) throws {
        do { self = try JSONDecoder().decode(JSONValue.self, from: Data(argument.utf8)) } catch {
            guard let first = argument.first, "{[\"".contains(first) else {
                self = .string(argument)
                return
            }
            throw CommandFailure("'\(argument)' begins like JSON and is not valid JSON.")
        }
    }

    /// The value on one line.
    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}

extension String {
    /// The text before the first `=` and the text after it; the second is `nil` without one.
    var splitAtEquals: (String, String?) {
        guard let equals = self.firstIndex(of: "=") else { return (self, nil) }
        return (String(self[..<equals]), String(self[self.index(after: equals)...]))
    }
}
#endif
