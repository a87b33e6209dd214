"""All routes. Django's admin stands apart, for administrators; the rest is the application's."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("", include("maintenance.urls")),
]
