#if Tools
import ArgumentParser
import CurlewCore
import NIOCore

/// What a message says: one of these.
struct MessageOptions: ParsableArguments {
    @Option(name: [.customShort("m"), .customLong("message")], parsing: .unconditional, help: "Message to publish.")
    var text: String?

    @Option(
        name: [.customShort("f"), .customLong("file")], parsing: .unconditional,
        help: "File to publish as the message; - for standard input.")
    var file: String?

    @Flag(
        name: [.customShort("s"), .customLong("stdin-file")], help: "Publish all of standard input as one message.")
    var isStandardInputGiven = false

    @Flag(name: [.customShort("n"), .customLong("null-message")], help: "Publish an empty message.")
    var isEmpty = false

    /// Whether the message comes from standard input.
    var isStandardInput: Bool { self.isStandardInputGiven || self.file == "-" }

    /// The options that were given.
    var given: [String] {
        [
            ("-m", self.text != nil), ("-f", self.file != nil), ("-s", self.isStandardInputGiven), ("-n", self.isEmpty),
        ].filter(\.1).map(\.0)
    }

    /// Throws unless exactly one was given. `others` are those of the subcommand that say the same.
    static func requireOne(_ given: [String], of choice: String) throws {
        switch given.count {
        case 0: throw ValidationError("There is no message; give one with \(choice)")
        case 1: break
        default: throw ValidationError("\(given.joined(separator: " and ")) are several messages; give one of them")
        }
    }

    /// The bytes of the message. Reads the file, or standard input to its end.
    func read() async throws -> ByteBuffer {
        if let text { return ByteBuffer(bytes: text.keptBytes) }
        if self.isEmpty { return ByteBuffer() }
        guard let file, !self.isStandardInput else {
            let input = try await Input(.standardInput, name: "standard input").readToEnd()
            guard input.readableBytes > 0 else {
                throw CommandFailure("Standard input is empty; give -n for an empty message.")
            }
            return input
        }
        let descriptor: Descriptor
        do throws(SystemError) {
            descriptor = try Descriptor.open(file)
        } catch {
            throw CommandFailure("The file '\(file)' cannot be read: \(error).")
        }
        defer { descriptor.closeFile() }
        return try await Input(descriptor, name: "the file '\(file)'").readToEnd()
    }
}
#endif
