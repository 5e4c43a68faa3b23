"""The runtime: stores journeys, drives timers, delivers messages; imports flows and elements."""
