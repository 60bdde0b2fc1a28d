import Synchronization

/// A flag that is raised once and can be read from any thread.
package final class Latch: Sendable {
    private let value = Atomic(false)

    package init() {}

    package func raise() { self.value.store(true, ordering: .releasing) }

    package var isRaised: Bool { self.value.load(ordering: .acquiring) }
}
