#if Tools
import ArgumentParser
import CurlewCore
import CurlewTransport

/// An open file of the process that started this one, to be told when the subscriptions are granted.
struct ReadyDescriptor: CheckedArgument, Equatable {
    static let expectation = "the number of a file descriptor that is open for writing, as in --ready-fd 3 3>file"

    private let number: Int32

    init?(argument: String) {
        guard let number = Int32(argument), number >= 0, Descriptor(number: number).isWritable else { return nil }
        self.number = number
    }

    /// Writes a line, and closes the file, unless it is one of the standard ones.
    func tell() {
        let descriptor = Descriptor(number: self.number)
        // Who does not wait any more need not know.
        try? descriptor.writeAll(Array("ready\n".utf8))
        if self.number > Descriptor.standardError.number { descriptor.closeFile() }
    }
}

extension Conversation {
    /// Tells a script, and a person at a terminal, that from now on nothing is missed.
    func tellReady(_ filters: [TopicFilter], _ descriptor: ReadyDescriptor?) {
        if Descriptor.standardError.isTerminal, !self.isMosquitto {
            let names =
                filters.prefix(3).map { "'\($0)'" } + (filters.count > 3 ? ["\(filters.count - 3) more"] : [])
            Diagnostics.say("Subscribed to \(names.joined(separator: ", ")).")
        }
        descriptor?.tell()
    }
}
#endif
