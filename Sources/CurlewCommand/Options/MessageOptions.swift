#if Tools
import ArgumentParser
import CurlewCore
import NIOCore

/// The options that give the payload, of which exactly one is needed.
struct MessageOptions: ParsableArguments {
    @Option(name: [.customShort("m"), .customLong("message")], parsing: .unconditional, help: "Message to publish.")
    var text: String?

    @Option(
        name: [.customShort("f"), .customLong("file")], parsing: .unconditional,
        help: "File to publish as the message, or - for standard input.")
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

    /// Throws unless exactly one option was given. `choice` lists the subcommand's options.
    static func requireOne(_ given: [String], of choice: String) throws {
        switch given.count {
        case 0: throw ValidationError("The message is missing; give it with \(choice)")
        case 1: break
        default: throw ValidationError("\(given.joined(separator: " and ")) exclude each other; give one of them")
        }
    }

    /// The payload. Reads the file, or all of standard input.
    func read() async throws -> ByteBuffer {
        if let text { return ByteBuffer(bytes: text.keptBytes) }
        if self.isEmpty { return ByteBuffer() }
        guard let file, !self.isStandardInput else {
            let input = try await Input(.standardInput, name: "standard input").readToEnd()
            guard input.readableBytes > 0 else {
                throw CommandFailure("Standard input is empty; use -n to publish an empty message.")
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
