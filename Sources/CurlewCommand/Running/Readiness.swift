#if Tools
import CurlewCore

extension Conversation {
    /// Tells a script, and a person at a terminal, that the subscriptions are granted.
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
