"""Databases, roles, schemas and grants on a Postgres server, the embedded one or any other."""

from __future__ import annotations

from segmentation.demo.postgres import AIRFLOW_DATABASE, AIRFLOW_ROLE, WAREHOUSE_DATABASE, Server


def set_up_server(server: Server) -> list[str]:
    """Make roles, the warehouse (migrated, with grants) and Airflow's metadata database; safe to repeat.

    Parameters
    ----------
    server : Server
        Where to make them. Without a password for the role `airflow` no metadata database is made.

    Returns
    -------
    list of str
        Roles that did not exist before.

    Raises
    ------
    DatabaseUnreachable, LoginRefused
        If the server cannot be used.
    """
    from segmentation.connections import named_errors
    from segmentation.publish.migrate import migrate
    from segmentation.publish.roles import create_roles, grant_warehouse_roles

    with named_errors("server's", server.url("postgres")):
        created = create_roles(
            server.engine("postgres"),
            {role: word for role, word in server.passwords.items() if role != server.superuser},
        )
        server.create_database(WAREHOUSE_DATABASE)
        if AIRFLOW_ROLE in server.passwords:
            server.create_database(AIRFLOW_DATABASE, owner=AIRFLOW_ROLE)
        migrate(server.url(WAREHOUSE_DATABASE))
        grant_warehouse_roles(server.engine(WAREHOUSE_DATABASE))
    return created
