# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows of the table of actions: a file for each family, a class for each action. They run in the guest."""
