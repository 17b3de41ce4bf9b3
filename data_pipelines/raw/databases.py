"""The six audio-visual eye-tracking databases of the paper, as a table, in the order they are read."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Database:
    """One eye-tracking database.

    `name` is what the paper's tables call it, `folder` its folder in the raw layout. `same_test_list_in_every_split`:
    the database has one list of test films instead of three, named without the split's number.
    """

    name: str
    folder: str
    same_test_list_in_every_split: bool = False


# The order of the original's loaders: batches without a shuffle follow it.
DATABASES: dict[str, Database] = {
    database.folder: database
    for database in (
        Database("DIEM", "DIEM", same_test_list_in_every_split=True),
        Database("Coutrot1", "Coutrot_db1"),
        Database("Coutrot2", "Coutrot_db2"),
        Database("SumMe", "SumMe"),
        Database("ETMD", "ETMD_av"),
        Database("AVAD", "AVAD"),
    )
}


def in_reading_order(folders: list[str]) -> list[str]:
    """The given folders: the paper's databases first, in the table's order, then a user's own by name."""
    known = list(DATABASES)
    return sorted(folders, key=lambda folder: (known.index(folder) if folder in known else len(known), folder))
