"""The built-in packs say literally what the dictionaries say; others are read as strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.records.catalog import Catalog, PackError, catalog, load_pack
from portal.records.definitions import Blank, Field, FieldType, Operation, RecordType

# Per record type: the key, and the columns in order. "!" is required, "h" only the header is;
# then the type, and "> type" for what the value refers to.
DICTIONARY: dict[str, tuple[tuple[str, ...], str]] = {
    "accounts": (
        ("PersonIdentifier",),
        """PersonIdentifier ! text
           FirstName ! text
           LastName ! text
           Email ! email""",
    ),
    "org_units": (
        ("OrgUnitIdentifier",),
        """OrgUnitIdentifier ! text
           Name ! text
           Acronym - text
           ParentIdentifier h text > org_units
           Type ! enum""",
    ),
    "academic_terms": (
        ("TermIdentifier",),
        """TermIdentifier ! text
           Name ! text
           BeginDate ! datetime
           EndDate ! datetime
           ParentIdentifier h text > academic_terms
           Type ! enum""",
    ),
    "courses": (
        ("CourseIdentifier",),
        """CourseIdentifier ! text
           Subject ! text
           Number ! text
           Title ! text
           Credits - credit
           OrgUnitIdentifier ! text > org_units
           Type ! enum
           Description - text
           CIPCode - cip""",
    ),
    "sections": (
        ("SectionIdentifier",),
        """SectionIdentifier ! text
           TermIdentifier ! text > academic_terms
           CourseIdentifier ! text > courses
           Subject - text
           CourseNumber - text
           Number ! text
           BeginDate ! datetime
           EndDate ! datetime
           OrgUnitIdentifier - text > org_units
           Title - text
           Credits - credit
           DeliveryMode ! enum
           Location - text
           Description - text
           CrossListingIdentifier - text""",
    ),
    "section_attributes": (
        ("Identifier", "Key", "Value"),
        """Identifier ! text > sections
           Key ! text
           Value ! text""",
    ),
    "enrollments": (
        ("PersonIdentifier", "SectionIdentifier"),
        """PersonIdentifier ! text > accounts
           SectionIdentifier ! text > sections
           Status ! enum
           FirstName - text
           LastName - text
           Email - email
           Credits - credit
           GradeOption - text
           RegisteredDate - datetime
           BeginDate - datetime
           EndDate - datetime
           InitialCourseGrade - text
           StatusChangeDate - datetime
           FinalCourseGrade - text""",
    ),
    "instructors": (
        ("PersonIdentifier", "SectionIdentifier"),
        """PersonIdentifier ! text > accounts
           SectionIdentifier ! text > sections
           FirstName - text
           LastName - text
           Email - email
           Role - enum""",
    ),
    "academic_programs": (
        ("ProgramIdentifier",),
        """ProgramIdentifier ! text
           OrgUnitIdentifier ! text > org_units
           Name ! text
           Type ! enum
           Description - text
           CourseIdentifiers ! text > courses""",
    ),
    "engage_users": (
        ("Username",),
        """Username ! text
           FirstName ! text
           LastName ! text
           CampusEmail ! email""",
    ),
    "beacon_connections": (
        ("AdvisorID", "ExternalID"),
        """AdvisorID ! text > accounts
           ExternalID ! text > accounts""",
    ),
}

ENUMERATIONS = {
    ("org_units", "Type"): "Institution Division School Department College Program Office",
    (
        "academic_terms",
        "Type",
    ): "Annual Semester Intersession Quarter Trimester Session Summer",
    ("courses", "Type"): "Undergraduate Graduate Professional",
    ("sections", "DeliveryMode"): "Face2Face Online Hybrid",
    (
        "enrollments",
        "Status",
    ): "Enrolled Dropped Withdrawn Completed Incomplete Audit Waitlisted",
    ("instructors", "Role"): "Primary Secondary TeachingAssistant",
    ("academic_programs", "Type"): "Undergraduate Graduate",
}

# In import order: feed, record type, the folder the portal makes, what its rows do.
FEEDS = [
    ("accounts", "accounts", "Accounts/AccountImports", "Accounts.csv", "upsert"),
    ("org_units", "org_units", "Courses/OrgUnit", "OrgUnit.csv", "upsert"),
    ("academic_terms", "academic_terms", "Courses/AcademicTerm", "AcademicTerm.csv", "upsert"),
    ("courses", "courses", "Courses/Course", "Course.csv", "upsert"),
    ("sections", "sections", "Courses/Section", "Section.csv", "upsert"),
    (
        "section_attributes",
        "section_attributes",
        "Courses/SectionAttribute",
        "SectionAttribute.csv",
        "add_only",
    ),
    ("enrollments", "enrollments", "Courses/Enrollment", "Enrollment.csv", "upsert"),
    ("instructors", "instructors", "Courses/Instructor", "Instructor.csv", "upsert"),
    (
        "remove_instructors",
        "instructors",
        "Courses/RemoveInstructor",
        "RemoveInstructor.csv",
        "remove",
    ),
    (
        "academic_programs",
        "academic_programs",
        "Courses/AcademicProgram",
        "AcademicProgram.csv",
        "upsert",
    ),
    (
        "student_demographics",
        "student_demographics",
        "Demographics/StudentImport",
        "StudentImport.csv",
        "upsert",
    ),
    (
        "faculty_demographics",
        "faculty_demographics",
        "Demographics/FacultyImport",
        "FacultyImport.csv",
        "upsert",
    ),
]


def described(field: Field) -> str:
    need = "!" if field.required else "h" if field.header_required else "-"
    target = f" > {field.references}" if field.references else ""
    return f"{field.name} {need} {field.type.value}{target}"


def rules_of(name: str) -> set[tuple[str, str, str | None, tuple[str, ...], str]]:
    rules = catalog().record_type(name).rules
    return {(r.kind, r.field, r.other, r.values, r.severity) for r in rules}


@pytest.mark.parametrize("name", DICTIONARY)
def test_a_record_type_has_the_dictionarys_columns_flags_and_references(name: str) -> None:
    key, columns = DICTIONARY[name]
    record_type = catalog().record_type(name)
    assert record_type.key == key
    assert record_type.fold_key, "references compare without case"
    assert [described(f) for f in record_type.fields] == [
        line.strip() for line in columns.splitlines()
    ]


@pytest.mark.parametrize(("place", "values"), ENUMERATIONS.items())
def test_an_enumeration_has_the_dictionarys_values(place: tuple[str, str], values: str) -> None:
    assert catalog().record_type(place[0]).field(place[1]).values == tuple(values.split())


def test_no_other_field_is_enumerated() -> None:
    enumerations = {
        (t.name, f.name) for t in catalog().order() for f in t.fields if f.type is FieldType.ENUM
    }
    assert enumerations == set(ENUMERATIONS)


def test_the_twelve_feeds_come_in_import_order() -> None:
    feeds = catalog().feeds_of("campus_core")
    assert [
        (f.name, f.record_type, f.folders[0], f.file_name, f.operation.value) for f in feeds
    ] == FEEDS
    assert [f.rank for f in feeds] == list(range(1, 13))


def test_other_spellings_of_folders_are_accepted() -> None:
    folders = {f.name: f.folders[1:] for f in catalog().feeds_of("campus_core")}
    assert folders["courses"] == ("Course/Course",)
    assert folders["remove_instructors"] == (
        "Course/RemoveInstructor",
        "Courses/FacultyRemoval",
        "Course/FacultyRemoval",
    )
    assert all(
        f"Course/{f.folders[0].removeprefix('Courses/')}" in f.folders
        for f in catalog().feeds()
        if f.folders[0].startswith("Courses/")
    )


def test_no_folder_belongs_to_two_feeds() -> None:
    folders = [folder.lower() for feed in catalog().feeds() for folder in feed.folders]
    assert len(folders) == len(set(folders))


def test_record_types_are_ordered_after_what_they_refer_to() -> None:
    assert [t.name for t in catalog().order()] == [
        "accounts",
        "org_units",
        "academic_terms",
        "courses",
        "sections",
        "section_attributes",
        "enrollments",
        "instructors",
        "academic_programs",
        "student_demographics",
        "faculty_demographics",
        "engage_users",
        "beacon_connections",
        "event",
    ]


def test_accounts_and_events_keep_what_a_blank_cell_leaves_out_and_the_others_clear_it() -> None:
    keeping = {f.name for f in catalog().feeds() if f.blank is Blank.KEEP}
    assert keeping == {"accounts", "events"}
    cross_listing = catalog().record_type("sections").field("CrossListingIdentifier")
    assert cross_listing.blank is Blank.CLEAR


def test_older_header_names_are_accepted() -> None:
    types = catalog()
    assert types.record_type("accounts").field("PersonIdentifier").aliases == ("ExternalId",)
    assert types.record_type("enrollments").field("BeginDate").aliases == ("StartDate",)
    assert types.record_type("courses").field("Number").aliases == ("CourseNumber",)
    advisor = types.record_type("beacon_connections").field("AdvisorID")
    assert advisor.aliases == ("AdvisorExternalID",)


def test_org_units_are_one_tree_under_one_institution() -> None:
    assert rules_of("org_units") == {
        ("differs", "ParentIdentifier", "OrgUnitIdentifier", (), "error"),
        ("required_unless", "ParentIdentifier", "Type", ("Institution",), "error"),
        ("blank_when", "ParentIdentifier", "Type", ("Institution",), "error"),
        ("only_one", "Type", None, ("Institution",), "error"),
        ("tree", "ParentIdentifier", None, (), "error"),
    }


def test_terms_sections_and_enrollments_end_after_they_begin() -> None:
    order = ("not_after", "BeginDate", "EndDate", (), "error")
    assert rules_of("sections") == rules_of("enrollments") == {order}
    assert rules_of("academic_terms") == {
        order,
        ("differs", "ParentIdentifier", "TermIdentifier", (), "error"),
        ("required_unless", "ParentIdentifier", "Type", ("Annual",), "warning"),
        ("tree", "ParentIdentifier", None, (), "error"),
        ("within_parent", "ParentIdentifier", None, ("BeginDate", "EndDate"), "error"),
    }


def test_remove_instructors_reads_the_two_identifiers_only() -> None:
    feed = catalog().feed("remove_instructors")
    assert feed.columns == ("PersonIdentifier", "SectionIdentifier")


def test_programs_list_courses_in_one_cell_or_in_the_cells_behind_it() -> None:
    assert catalog().record_type("academic_programs").field("CourseIdentifiers").many
    assert [f.name for f in catalog().feeds() if f.absorb_extra] == ["academic_programs"]


def words(text: str) -> list[str]:
    return text.split()


COMMON_START = words("""ExternalId PersonIdentifier EffectiveOn FirstName LastName
    EmailAddress1 EmailAddress1IsPreferred EmailAddress2 EmailAddress2IsPreferred
    EmailAddress3 EmailAddress3IsPreferred PreferredFirstName MiddleName Suffix DateOfBirth Gender
    Sex Race1 Race2 Race3 Ethnicity1 Ethnicity2 Ethnicity3 PrivacyElected
    Address1AddressType Address1Line1 Address1Line2 Address1Line3 Address1City Address1State
    Address1County Address1Country Address1PostalCode Address2AddressType""")
COMMON_END = words("""Campus1 Campus2 Campus3
    Telephone1CountryCode Telephone1AreaCode Telephone1Number Telephone1Extension
    Telephone1TelephoneType Telephone1MobileCarrier Telephone2CountryCode Telephone2AreaCode
    Telephone2Number Telephone2Extension Telephone2TelephoneType Telephone2MobileCarrier
    Telephone3CountryCode Telephone3AreaCode Telephone3Number Telephone3Extension
    Telephone3TelephoneType Telephone3MobileCarrier Username1 Username2 Username3""")
STUDENT = words("""CardId SisId StudentId HousingFacility
    ActCompositeScore ActEnglishScore ActMathScore
    ActReadingScore ActScienceScore ActWritingScore SatScore SatMathScore SatVerbalScore
    SatWritingScore GreScore GmatScore LsatScore McatScore IncomingGpa CumulativeGpa
    IsMatriculating Certificate1 Certificate2 Certificate3 Major1 Major2 Major3 Minor1 Minor2 Minor3
    Concentration1 Concentration2 Concentration3 DegreeProgram1 DegreeProgram2 DegreeProgram3
    SchoolOfEnrollment1 SchoolOfEnrollment2 SchoolOfEnrollment3 DegreeType1 DegreeType2 DegreeType3
    AcademicStanding AnticipatedGraduationDate CareerLevel ClassStanding
    CumulativeCreditHoursAttempted CumulativeCreditHoursCompleted CumulativeCreditsEarned
    CurrentCreditLoad EnrollmentStatus InstitutionEntryTerm
    PreviousInstitution1Name PreviousInstitution1StartDate PreviousInstitution1EndDate
    PreviousInstitution2Name PreviousInstitution2StartDate PreviousInstitution2EndDate
    PreviousInstitution3Name PreviousInstitution3StartDate PreviousInstitution3EndDate
    AthleticProgram1 AthleticProgram2 AthleticProgram3 HonorsProgram1 HonorsProgram2 HonorsProgram3
    FamilyMember1EducationLevel FamilyMember1Relationship FamilyMember2EducationLevel
    FamilyMember2Relationship FamilyMember3EducationLevel FamilyMember3Relationship
    PreEntryProgram1 PreEntryProgram2 PreEntryProgram3 LocalResidenceLocation1
    LocalResidenceLocation2 LocalResidenceLocation3 AspiredEducationLevel ForeignNationalStatus
    HighSchool HomeResidenceLocation Hometown ImmigrationStatus IsCommuter IsFirstGeneration
    IsPellGrantEligible MilitaryStatus""")
FACULTY = words("""PrimaryDepartment Qualifications RetiredOn TeachingStatus Title
    Certification1 Certification2 Certification3 Discipline1 Discipline2 Discipline3
    Department1 Department2 Department3 Position1 Position2 Position3
    ManagingDepartment1 ManagingDepartment2 ManagingDepartment3 School1 School2 School3""")


@pytest.mark.parametrize(
    ("name", "total", "own"),
    [("student_demographics", 164, STUDENT), ("faculty_demographics", 98, FACULTY)],
)
def test_demographics_have_every_column(name: str, total: int, own: list[str]) -> None:
    record_type = catalog().record_type(name)
    names = [f.name for f in record_type.fields]
    assert len(names) == len(set(names)) == total
    common = names[: -len(own)]
    assert common[: len(COMMON_START)] == COMMON_START
    assert common[-len(COMMON_END) :] == COMMON_END
    assert names[-len(own) :] == own


@pytest.mark.parametrize("name", ["student_demographics", "faculty_demographics"])
def test_demographics_are_dated_snapshots_of_existing_accounts(name: str) -> None:
    record_type = catalog().record_type(name)
    assert record_type.key == ("PersonIdentifier", "EffectiveOn")
    assert record_type.references == {"accounts"}
    assert record_type.field("PersonIdentifier").references == "accounts"
    assert {f.name for f in record_type.fields if f.required} == set(COMMON_START[:5])


def types_of(record_type: RecordType, kind: FieldType) -> set[str]:
    return {f.name for f in record_type.fields if f.type is kind}


def test_demographics_have_the_types_that_are_known() -> None:
    student = catalog().record_type("student_demographics")
    assert types_of(student, FieldType.INTEGER) == {n for n in STUDENT if n.endswith("Score")}
    assert types_of(student, FieldType.NUMBER) == {"IncomingGpa", "CumulativeGpa"}
    assert types_of(student, FieldType.DATETIME) == {"EffectiveOn", "DateOfBirth"}
    assert types_of(student, FieldType.DATE) == {"AnticipatedGraduationDate"}
    preferred = {f"EmailAddress{n}IsPreferred" for n in (1, 2, 3)}
    assert types_of(student, FieldType.BOOLEAN) == {
        *preferred,
        "PrivacyElected",
        "IsMatriculating",
        "IsCommuter",
        "IsFirstGeneration",
        "IsPellGrantEligible",
    }
    faculty = catalog().record_type("faculty_demographics")
    assert types_of(faculty, FieldType.DATE) == {"RetiredOn"}
    assert student.field("Sex").max_length == 250


def test_every_text_field_has_a_longest_length() -> None:
    unlimited = {
        f.name
        for t in catalog().order()
        for f in t.fields
        if f.type in (FieldType.TEXT, FieldType.EMAIL) and f.max_length is None
    }
    assert unlimited == {"CourseIdentifiers"}


def test_engage_wants_its_header_in_order_and_an_action_in_each_row() -> None:
    feed = catalog().feed("engage_users")
    assert feed.folders == ("CollegiateLink/Users",)
    assert feed.header_strict
    assert feed.columns == ("Action", "Username", "FirstName", "LastName", "CampusEmail")
    assert feed.row_operation is not None
    assert dict(feed.row_operation.values) == {
        "update": Operation.UPSERT,
        "add": Operation.UPSERT,
        "delete": Operation.REMOVE,
    }
    assert feed.row_operation.blank is None


def test_beacon_connects_where_the_action_is_blank() -> None:
    feed = catalog().feed("beacon_connections")
    assert feed.folders == ("Beacon/BeaconImports",)
    assert feed.row_operation is not None
    assert feed.row_operation.column == "Action"
    assert dict(feed.row_operation.values) == {
        "connect": Operation.UPSERT,
        "disconnect": Operation.REMOVE,
    }
    assert feed.row_operation.blank is Operation.UPSERT


SOUND = """
pack: demo
label: Demo
record_types:
  - name: people
    label: People
    key: [Id]
    max_length: 20
    fields:
      - {name: Id, required: true}
      - {repeat: 2, fields: [{name: "Phone{n}", max_length: 9}]}
      - {name: Boss, references: people}
      - {name: Hired, type: date}
feeds:
  - {name: people, label: People, record_type: people, folders: [People], file_name: p.csv}
"""


def written(tmp_path: Path, text: str, name: str = "demo.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sound_pack_is_read(tmp_path: Path) -> None:
    pack = load_pack(written(tmp_path, SOUND))
    fields = pack.record_types[0].fields
    assert [(f.name, f.max_length) for f in fields] == [
        ("Id", 20),
        ("Phone1", 9),
        ("Phone2", 9),
        ("Boss", 20),
        ("Hired", None),
    ]
    assert Catalog([pack]).feed("people").record_type == "people"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("required: true", "requird: true", ['field "Id"', '"requird" is unknown', "required"]),
        ("type: date", "type: dat", ["'dat' is unknown", "datetime"]),
        ("key: [Id]", "key: [Idd]", ['record type "people"', '"Idd"', "not a field"]),
        ("key: [Id]", "key: [Hired]", ['"Hired" belongs to the key', "required: true"]),
        ("key: [Id]", "key: []", ["`key` is empty"]),
        ("name: Boss", "name: id", ['the header "id" belongs to 2 fields']),
        ("name: Boss", "name: 7", ["7 is not a text", "quotes"]),
        ("    label: People\n    key", "    key", ['record type "people"', '"label" is missing']),
        ("repeat: 2", "repeat: 900", ["900 is not from 1 to 50"]),
        ("record_type: people", "record_type: persons", ['feed "people"', '"persons"', "people"]),
        ("folders: [People]", "folders: []", ["`folders` is empty"]),
        ("file_name: p.csv", "file_name: p.csv, columns: [Boss]", ['the key field "Id"']),
        ("required: true", "required: true, required: true", ['"required" is written 2 times']),
        ("required: true", "required: true, values: [a]", ["`values` are for enums only"]),
        ("required: true", 'required: true, pattern: "("', ["not a regular expression"]),
        ("required: true", "required: true, pattern: '(?!x)y'", ["may not look around"]),
        ("required: true", "required: true, pattern: '[A-Z]+'", ["needs `pattern_words`"]),
        ("pack: demo", "pack: [", ["not valid YAML"]),
        (
            "feeds:",
            "    rules: [{kind: after, field: Hired}]\nfeeds:",
            ['rule "after" of "Hired"', "the kind is unknown", "not_after"],
        ),
        (
            "feeds:",
            "    rules: [{kind: not_after, field: Hired, other: Boss}]\nfeeds:",
            ["both fields must be dates"],
        ),
        (
            "feeds:",
            "    rules: [{kind: tree, field: Phone1}]\nfeeds:",
            ["must refer to one record of its own record type"],
        ),
    ],
)
def test_it_refuses_a_pack_that_is_not_understood(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    assert SOUND.count(old) >= 1
    with pytest.raises(PackError) as refused:
        load_pack(written(tmp_path, SOUND.replace(old, new, 1)))
    for word in ["demo.yaml", *expected]:
        assert word in str(refused.value)


def test_it_refuses_a_pack_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"none\.yaml: cannot be read"):
        load_pack(tmp_path / "none.yaml")


def test_it_refuses_a_reference_to_a_record_type_that_no_pack_has(tmp_path: Path) -> None:
    pack = load_pack(written(tmp_path, SOUND.replace("references: people", "references: bosses")))
    with pytest.raises(PackError, match=r'demo\.yaml: .*"Boss".*unknown record type "bosses"'):
        Catalog([pack])


def test_it_refuses_one_name_in_two_packs(tmp_path: Path) -> None:
    packs = [load_pack(written(tmp_path, SOUND, name)) for name in ("a.yaml", "b.yaml")]
    with pytest.raises(PackError, match=r'b\.yaml: record type "people": a\.yaml has it too'):
        Catalog(packs)


def test_it_refuses_record_types_that_refer_to_each_other_in_a_circle(tmp_path: Path) -> None:
    pack = SOUND.replace("references: people", "references: others")
    other = SOUND.replace("people", "others").replace("references: others", "references: people")
    packs = [
        load_pack(written(tmp_path, pack, "one.yaml")),
        load_pack(written(tmp_path, other, "other.yaml")),
    ]
    with pytest.raises(PackError, match="in a circle"):
        Catalog(packs)


def test_events_take_the_platforms_header_and_keep_what_they_do_not_know() -> None:
    """Research notes 4.2: there the type stands in `event`, and the learner in `user`."""
    record_type = catalog().record_type("event")
    assert (record_type.key, record_type.fold_key) == (("id",), False)
    assert [described(f) for f in record_type.fields] == [
        "id ! text",
        "timestamp ! datetime",
        "event ! text",
        "subject - text",
        "payload - object",
    ]
    assert record_type.field("event").aliases == ("type",)
    assert record_type.field("subject").aliases == ("user",)
    (feed,) = catalog().feeds_of("events")
    assert (feed.operation, feed.folders) == (Operation.ADD_ONLY, ("events",))
    assert [f.name for f in catalog().feeds() if f.keep_unknown or f.json_lines] == ["events"]
